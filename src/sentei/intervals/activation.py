"""Entry-wise functions: the values and the slopes that they take on an interval."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from sentei.intervals.rounding import loosened

Entries = Callable[[torch.Tensor], torch.Tensor]
Ends = tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True)
class Activation:
    """A function of one number, continuous, and differentiable but for finitely many kinks.

    Attributes:
        function: In float64.
        after: Its slope just after each point.
        before: Its slope just before each point; the same function where there are no kinks.
        turns: Where it stops growing or falling: between two neighbours it does one of the two.
        bends: Kinks, and points where the slope stops growing or falling.
        exact: Whether torch computes the function without error.
    """

    function: Entries
    after: Entries
    before: Entries
    turns: tuple[float, ...] = ()
    bends: tuple[float, ...] = ()
    exact: bool = False

    def values(self, low: torch.Tensor, high: torch.Tensor) -> Ends:
        """The least and the largest value on each interval, rounded outwards."""
        ends = self.function(low), self.function(high)
        least, most = torch.minimum(*ends), torch.maximum(*ends)
        for place in self.turns:
            value = self.function(low.new_full((), place))
            inside = (low < place) & (place < high)
            least = torch.where(inside, torch.minimum(least, value), least)
            most = torch.where(inside, torch.maximum(most, value), most)
        return (least, most) if self.exact else loosened(least, most)

    def slopes(self, low: torch.Tensor, high: torch.Tensor) -> Ends:
        """Bounds on (f(y) - f(x)) / (y - x) for x and y in each interval, by the mean value theorem.

        Where the interval is one point, the bounds mean nothing, and y - x is 0.
        """
        ends = self.after(low), self.before(high)
        least, most = torch.minimum(*ends), torch.maximum(*ends)
        for place in self.bends:
            at, inside = low.new_full((), place), (low < place) & (place < high)
            sides = self.before(at), self.after(at)
            least = torch.where(inside, torch.minimum(least, torch.minimum(*sides)), least)
            most = torch.where(inside, torch.maximum(most, torch.maximum(*sides)), most)
        return (least, most) if self.exact else loosened(least, most)
