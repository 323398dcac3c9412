"""Entry-wise functions: the values and the slopes that they take on an interval."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from sentei.intervals.rounding import down, loosened, up

Entries = Callable[[torch.Tensor], torch.Tensor]
Ends = tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True)
class Activation:
    """A function of one number, differentiable but for finitely many kinks and jumps.

    Attributes:
        function: In float64.
        after: Its slope just after each point.
        before: Its slope just before each point; the same function where there are no kinks.
        turns: Where it stops growing or falling: between two neighbours it does one of the two.
        bends: Kinks, and points where the slope stops growing or falling.
        exact: Whether torch computes the function without error.
        jumps: Where it is not continuous: the place, up to its rounding, and the values just before and just after.
    """

    function: Entries
    after: Entries
    before: Entries
    turns: tuple[float, ...] = ()
    bends: tuple[float, ...] = ()
    exact: bool = False
    jumps: tuple[tuple[float, float, float], ...] = ()

    def values(self, low: torch.Tensor, high: torch.Tensor) -> Ends:
        """The least and the largest value on each interval, rounded outwards."""
        ends = self.function(low), self.function(high)
        least, most = torch.minimum(*ends), torch.maximum(*ends)
        for place in self.turns:
            value = self.function(low.new_full((), place))
            inside = (low < place) & (place < high)
            least = torch.where(inside, torch.minimum(least, value), least)
            most = torch.where(inside, torch.maximum(most, value), most)
        for place, *sides in self.jumps:
            inside = _near(low, high, place)
            least = torch.where(inside, least.clamp(max=min(sides)), least)
            most = torch.where(inside, most.clamp(min=max(sides)), most)
        return (least, most) if self.exact else loosened(least, most)

    def slopes(self, low: torch.Tensor, high: torch.Tensor) -> Ends:
        """Bounds on (f(y) - f(x)) / (y - x) for x and y in each interval, by the mean value theorem, but for jumps.

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

    def jumped(self, low: torch.Tensor, high: torch.Tensor) -> Ends:
        """Bounds on what jumps add to f(y) - f(x), whichever of the two is larger, for x and y in each interval."""
        size = torch.zeros_like(low)
        for place, before, after in self.jumps:
            size = torch.where(_near(low, high, place), size + abs(after - before), size)
        _, size = loosened(size, size)
        return -size, size


def _near(low: torch.Tensor, high: torch.Tensor, place: float) -> torch.Tensor:
    """Whether a place, or a number that rounds to it, lies in an interval."""
    at = low.new_full((), place)
    return (low <= up(at)) & (down(at) <= high)
