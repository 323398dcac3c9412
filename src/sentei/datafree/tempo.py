"""How many units have left after each step."""

from collections.abc import Iterator
from fractions import Fraction


def departures(n_units: int, step: float, sparsity: float) -> Iterator[int]:
    """How many of a group's units have left after each step, until no more leave.

    Args:
        n_units: At the beginning; at least 1.
        step: Share of ``n_units`` that leaves in a step; above 0.
        sparsity: Share that leaves in the end, in [0, 1].

    Yields:
        ``round(t step n)`` for t = 1, 2, ..., no more than ``round(sparsity n)``, and never the last unit.

    Example:
        >>> list(departures(10, 0.125, 0.5))
        [1, 2, 4, 5]
    """
    last = min(round(Fraction(str(sparsity)) * n_units), n_units - 1)
    n_steps = 0
    while True:
        n_steps += 1
        gone = min(round(n_steps * Fraction(str(step)) * n_units), last)
        yield gone
        if gone == last:
            return
