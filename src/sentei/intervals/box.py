"""Boxes: an interval for every entry of a tensor, and what functions make of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import torch

from sentei.intervals.activation import Activation
from sentei.intervals.reach import Move, Product, Reach, Weights
from sentei.intervals.rounding import TINY, as_numbers, down, gamma, once, up


@dataclass(frozen=True, eq=False)
class Box(Reach):
    """All tensors between two.

    Attributes:
        low: float64; the first dimension is the batch.
        high: Same shape; nowhere below ``low``.

    Guarantee:
        Results of operations contain the exact result for every choice of entries: each is rounded outwards.
    """

    low: torch.Tensor
    high: torch.Tensor

    @classmethod
    def of(cls, low: object, high: object) -> Self:
        """A box given by arrays or tensors of numbers.

        Raises:
            ValueError: Shapes differ, a bound is no finite number, or the lower one lies above the upper one.

        Example:
            >>> Box.of([[0.0, 1.0]], [[0.5, 1.0]]).width.tolist()
            [[0.5, 0.0]]
        """
        box = cls(as_numbers(low), as_numbers(high))
        if box.low.shape != box.high.shape or not box.finite() or bool((box.low > box.high).any()):
            raise ValueError(
                f"a box takes finite lower bounds, nowhere above upper bounds of the same shape; received shapes "
                f"{tuple(box.low.shape)} and {tuple(box.high.shape)}, differences from "
                f"{float((box.high - box.low).min()) if box.low.shape == box.high.shape else 'none'}"
            )
        return box

    @property
    def shape(self) -> torch.Size:
        """Of both bounds."""
        return self.low.shape

    @property
    def width(self) -> torch.Tensor:
        """Upper minus lower bounds."""
        return self.high - self.low

    @property
    def magnitude(self) -> torch.Tensor:
        """The largest absolute values."""
        return torch.maximum(self.low.abs(), self.high.abs())

    def finite(self) -> bool:
        """Whether all bounds are finite numbers, and their sum is one, which takes one look at each."""
        return bool(self.low.sum().isfinite() and self.high.sum().isfinite())

    def met(self, other: "Box") -> "Box":
        """What lies in both, which both were found to contain."""
        return Box(*once(_inner, self.low, self.high, other.low, other.high))

    def hull(self, other: "Box") -> "Box":
        """Everything between the two."""
        return Box(*once(_outer, self.low, self.high, other.low, other.high))

    def moved(self, move: Move, move_zero: Move | None = None) -> "Box":  # noqa: D102 - see Reach
        return Box(move(self.low), move(self.high))

    def parted(self, part: Callable[[torch.Tensor], Sequence[torch.Tensor]]) -> list["Box"]:  # noqa: D102 - see Reach
        return [Box(low, high) for low, high in zip(part(self.low), part(self.high), strict=True)]

    def joined(self, others: Sequence["Box"], join: Callable[[list[torch.Tensor]], torch.Tensor]) -> "Box":  # noqa: D102 - see Reach
        boxes = [self, *others]
        return Box(join([box.low for box in boxes]), join([box.high for box in boxes]))

    def averaged(self, average: Move, n: int) -> "Box":  # noqa: D102 - see Reach
        error = average(self.magnitude) * (2 * gamma(n + 3)) + TINY
        return Box(down(average(self.low) - error), up(average(self.high) + error))

    def times(self, product: Product, weight: Weights, bias: Weights | None, n: int) -> "Box":
        """See `Reach.times`; centre and radius of the result, the radius with the rounding of the centre in it."""
        return self.affine(product, weight[0], bias[0] if bias else None, n)

    def affine(
        self,
        product: Product,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        n: int,
        sizes: tuple[torch.Tensor, torch.Tensor | None] | None = None,
    ) -> "Box":
        """The layer of one network.

        Args:
            product: Linear in input and weight.
            weight: May be off by one rounding of each entry, or of what ``sizes`` says.
            bias: Likewise.
            n: Products in each sum.
            sizes: At least the absolute values of weight and bias, and of all numbers whose difference they are.
        """
        share = gamma(n + 3)
        large, large_bias = sizes or (weight.abs(), None if bias is None else bias.abs())

        def compute(low: torch.Tensor, high: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            centre = low / 2 + high / 2
            radius = up(torch.maximum(high - centre, centre - low))
            error = share * (centre.abs() + radius)
            error_bias = None if large_bias is None else share * large_bias
            if sizes is None:
                off = product(radius + error, large, error_bias)
            else:
                off = product(radius, weight.abs(), None) + product(error, large, error_bias)
            off, made = off * (1 + 4 * share) + TINY, product(centre, weight, bias)
            return down(made - off), up(made + off)

        return Box(*once(compute, self.low, self.high))

    def __add__(self, other: "Box") -> "Box":
        return Box(*once(lambda a, b, c, d: (down(a + c), up(b + d)), self.low, self.high, other.low, other.high))

    def __neg__(self) -> "Box":
        return Box(*once(lambda low, high: (-high, -low), self.low, self.high))

    def __sub__(self, other: "Box") -> "Box":
        return self + -other

    def __mul__(self, other: "Box") -> "Box":
        def compute(*ends: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            a, b, c, d = ends
            first, second, third, last = a * c, a * d, b * c, b * d
            low = torch.minimum(torch.minimum(first, second), torch.minimum(third, last))
            high = torch.maximum(torch.maximum(first, second), torch.maximum(third, last))
            return down(low) - TINY, up(high) + TINY

        return Box(*once(compute, self.low, self.high, other.low, other.high))

    def through(self, activation: Activation) -> "Box":  # noqa: D102 - see Reach
        return Box(*once(activation.values, self.low, self.high))

    def largest(self, pool: Move) -> "Box":  # noqa: D102 - see Reach
        return Box(*once(lambda low, high: (pool(low), pool(high)), self.low, self.high))

    def constant(self, number: float | torch.Tensor) -> "Box":  # noqa: D102 - see Reach
        value = as_numbers(number)
        return Box(value, value)

    def parameter(self, values: Weights) -> "Box":  # noqa: D102 - see Reach
        return self.constant(values[0])


def _inner(*ends: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.maximum(ends[0], ends[2]), torch.minimum(ends[1], ends[3])


def _outer(*ends: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.minimum(ends[0], ends[2]), torch.maximum(ends[1], ends[3])
