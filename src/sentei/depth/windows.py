"""Which part of an image a part of a convolution's output is made from, row by row or column by column."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True)
class Axis:
    """One dimension of a convolution.

    Attributes:
        kernel: Entries.
        stride: Of the window.
        padding: Zeros on each side.
        dilation: Steps between entries.
    """

    kernel: int
    stride: int
    padding: int
    dilation: int

    def n_out(self, n_in: int) -> int:
        """How many places come out of ``n_in``.

        Example:
            >>> Axis(kernel=3, stride=2, padding=1, dilation=1).n_out(8)
            4
        """
        return (n_in + 2 * self.padding - self.dilation * (self.kernel - 1) - 1) // self.stride + 1

    def reads(self, start: int, stop: int) -> tuple[int, int]:
        """From where to where the output from ``start`` to ``stop`` looks; below 0 and beyond the end lie zeros.

        Example:
            >>> Axis(kernel=3, stride=2, padding=1, dilation=1).reads(0, 4)
            (-1, 8)
        """
        first = start * self.stride - self.padding
        return first, first + (stop - start - 1) * self.stride + self.dilation * (self.kernel - 1) + 1


Chain = tuple[Axis, ...]
"""Convolutions one after the other."""


@dataclass(frozen=True)
class Reach:
    """What is taken of the input, and how many zeros come before and after it."""

    start: int
    stop: int
    before: int
    after: int


def reach(axis: Axis, n_in: int, start: int, stop: int) -> Reach:
    """Where the output from ``start`` to ``stop`` comes from, given ``n_in`` places.

    Example:
        >>> reach(Axis(kernel=3, stride=1, padding=1, dilation=1), 8, 0, 2)
        Reach(start=0, stop=3, before=1, after=0)
    """
    first, last = axis.reads(start, stop)
    return Reach(max(first, 0), min(last, n_in), max(-first, 0), max(last - n_in, 0))


def sizes(chain: Chain, n_in: int) -> tuple[int, ...]:
    """Places before the first convolution, and after each one."""
    found = [n_in]
    for axis in chain:
        found.append(axis.n_out(found[-1]))
    return tuple(found)


def reaches(chain: Chain, n_in: int, start: int, stop: int) -> list[Reach]:
    """What each convolution of a chain takes so that the last one gives the places from ``start`` to ``stop``."""
    found: list[Reach] = []
    for axis, size in reversed(list(zip(chain, sizes(chain, n_in), strict=False))):
        found.insert(0, reach(axis, size, start, stop))
        start, stop = found[0].start, found[0].stop
    return found


@cache
def interior(chains: Sequence[Chain], n_in: int, n_out: int) -> tuple[int, int]:
    """The output places for which no convolution but the first one of its chain reads zeros beyond a border.

    Args:
        chains: Whose outputs are added.
        n_in: Places of the input.
        n_out: Places of the output.

    Returns:
        The first such place, and one beyond the last; equal if there is none.

    Example:
        >>> same = Axis(kernel=3, stride=1, padding=1, dilation=1)
        >>> interior(((same, same),), 8, 8)
        (1, 7)
    """
    inside = [o for o in range(n_out) if all(_inside(chain, sizes(chain, n_in), o) for chain in chains)]
    return (inside[0], inside[-1] + 1) if inside else (0, 0)


def _inside(chain: Chain, n_places: tuple[int, ...], place: int) -> bool:
    start, stop = place, place + 1
    for index in range(len(chain) - 1, 0, -1):
        start, stop = chain[index].reads(start, stop)
        if start < 0 or stop > n_places[index]:
            return False
    return True
