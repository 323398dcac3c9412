"""Two networks of one form: the values of both, and how far apart they can be on the same input."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from sentei.intervals.activation import Activation
from sentei.intervals.box import Box
from sentei.intervals.reach import Move, Product, Reach, Weights
from sentei.intervals.rounding import once


@dataclass(frozen=True, eq=False)
class Difference(Reach):
    """What two networks answer on the same input.

    Attributes:
        first: Values of the first network.
        second: Values of the second one.
        delta: Values of the second minus those of the first, on the same input.
    """

    first: Box
    second: Box
    delta: Box

    @classmethod
    def met(cls, first: Box, second: Box, delta: Box) -> "Difference":
        """Each of the three, met with what the other two say of it."""
        delta = delta.met(second - first)
        return cls(first.met(second - delta), second.met(first + delta), delta)

    @property
    def shape(self) -> torch.Size:
        """Of all boxes."""
        return self.delta.shape

    def finite(self) -> bool:
        """Whether all bounds are finite numbers."""
        return self.first.finite() and self.second.finite() and self.delta.finite()

    def moved(self, move: Move, move_zero: Move | None = None) -> "Difference":  # noqa: D102 - see Reach
        return Difference(self.first.moved(move), self.second.moved(move), self.delta.moved(move_zero or move))

    def parted(self, part: Callable[[torch.Tensor], Sequence[torch.Tensor]]) -> list["Difference"]:  # noqa: D102 - see Reach
        parts = zip(self.first.parted(part), self.second.parted(part), self.delta.parted(part), strict=True)
        return [Difference(*three) for three in parts]

    def joined(  # noqa: D102 - see Reach
        self, others: Sequence["Difference"], join: Callable[[list[torch.Tensor]], torch.Tensor]
    ) -> "Difference":
        return Difference(
            self.first.joined([other.first for other in others], join),
            self.second.joined([other.second for other in others], join),
            self.delta.joined([other.delta for other in others], join),
        )

    def averaged(self, average: Move, n: int) -> "Difference":  # noqa: D102 - see Reach
        return Difference.met(*(box.averaged(average, n) for box in (self.first, self.second, self.delta)))

    def times(self, product: Product, weight: Weights, bias: Weights | None, n: int) -> "Difference":
        """W' x' + b' - (W x + b) is W' d + (W' - W) x + (b' - b), and W d + (W' - W) x' + (b' - b): it is in both."""
        first = self.first.times(product, weight, bias, n)
        second = self.second.times(product, weight[::-1], bias[::-1] if bias else None, n)
        offset = None if bias is None else bias[1] - bias[0]
        delta = self.delta.affine(product, weight[1], None, n)
        if not torch.equal(*weight) or (offset is not None and bool(offset.any())):
            change = weight[1] - weight[0]
            other = self.delta.affine(product, weight[0], None, n) + self.second.affine(product, change, offset, n)
            delta = (delta + self.first.affine(product, change, offset, n)).met(other)
        return Difference.met(first, second, delta)

    def __add__(self, other: "Difference") -> "Difference":
        return Difference.met(self.first + other.first, self.second + other.second, self.delta + other.delta)

    def __neg__(self) -> "Difference":
        return Difference(-self.first, -self.second, -self.delta)

    def __mul__(self, other: "Difference") -> "Difference":
        """The change x'y' - xy is x' dy + dx y, and x dy + dx y'."""
        one = self.second * other.delta + self.delta * other.first
        two = self.first * other.delta + self.delta * other.second
        return Difference.met(self.first * other.first, self.second * other.second, one.met(two))

    def through(self, activation: Activation) -> "Difference":
        """The difference is multiplied by a slope between the two values; jumps come on top where there is one."""
        between = self.first.hull(self.second)
        slopes = Box(*once(activation.slopes, between.low, between.high))
        delta = slopes * self.delta
        if activation.jumps:
            same = (self.delta.low == 0) & (self.delta.high == 0)
            jumped = delta + Box(*once(activation.jumped, between.low, between.high))
            delta = Box(torch.where(same, delta.low, jumped.low), torch.where(same, delta.high, jumped.high))
        return Difference.met(self.first.through(activation), self.second.through(activation), delta)

    def largest(self, pool: Move) -> "Difference":
        """The largest values of a window are apart by no less than the least and no more than the largest delta."""
        delta = Box(*once(lambda low, high: (-pool(-low), pool(high)), self.delta.low, self.delta.high))
        return Difference.met(self.first.largest(pool), self.second.largest(pool), delta)

    def constant(self, number: float | torch.Tensor) -> "Difference":  # noqa: D102 - see Reach
        value = self.first.constant(number)
        return Difference(value, value, Box(torch.zeros_like(value.low), torch.zeros_like(value.low)))

    def parameter(self, values: Weights) -> "Difference":  # noqa: D102 - see Reach
        first, second = self.first.constant(values[0]), self.second.constant(values[1])
        same = torch.zeros_like(first.low)
        return Difference(first, second, Box(same, same) if torch.equal(*values) else second - first)
