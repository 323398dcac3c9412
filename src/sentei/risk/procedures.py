"""From p-values to rejections where more than one sequence, or none, is fixed beforehand.

Every procedure comes twice: for p-values that are all known, and, as ``run_...``, for p-values that are asked for one
by one when their turn comes, so that a variant that is never tested never sees a calibration row. Levels are divided
and compared as exact fractions: a p-value that equals its level is rejected, and rounding never makes it so.
"""

from collections.abc import Sequence
from itertools import pairwise

from sentei.risk.arguments import check_count
from sentei.risk.levels import Ask, Exact, asked, exact_level


def bonferroni(p_values: Sequence[Exact], delta: Exact) -> tuple[int, ...]:
    """Which hypotheses are rejected when each is tested at an equal share of ``delta``.

    Args:
        p_values: Valid p-values, in any order; floats, Decimals or Fractions in [0, 1], taken exactly.
        delta: Acceptable chance of one false rejection or more, in (0, 1), taken exactly.

    Returns:
        The rejected indices, ascending.

    Raises:
        ValueError: A p-value or delta is no probability.

    Guarantee:
        The chance of rejecting any true hypothesis is at most ``delta``, whatever the dependence between the p-values.

    Example:
        >>> bonferroni([0.019, 0.01, 0.03], delta=0.06)
        (0, 1)
    """
    return run_bonferroni(p_values.__getitem__, len(p_values), delta)


def run_bonferroni(ask: Ask, n: int, delta: Exact) -> tuple[int, ...]:
    """``bonferroni`` for ``n`` hypotheses, of which ``ask(i)`` gives the p-value; every one is asked for, in order."""
    level, n = exact_level(delta), check_count("n", n, 0)
    return tuple(index for index in range(n) if asked(ask, index) * n <= level)


def holm(p_values: Sequence[Exact], delta: Exact) -> tuple[int, ...]:
    """Which hypotheses are rejected step by step: the smallest p-value at delta / n, the next at delta / (n - 1), ...

    Args:
        p_values: Valid p-values, in any order; floats, Decimals or Fractions in [0, 1], taken exactly.
        delta: Acceptable chance of one false rejection or more, in (0, 1), taken exactly.

    Returns:
        The rejected indices, ascending; never fewer than ``bonferroni`` rejects.

    Raises:
        ValueError: A p-value or delta is no probability.

    Guarantee:
        The chance of rejecting any true hypothesis is at most ``delta``, whatever the dependence between the p-values.

    Source:
        Holm (1979).

    Example:
        >>> holm([0.02, 0.01, 0.03], delta=0.06)
        (0, 1, 2)
    """
    return run_holm(p_values.__getitem__, len(p_values), delta)


def run_holm(ask: Ask, n: int, delta: Exact) -> tuple[int, ...]:
    """``holm`` for ``n`` hypotheses, of which ``ask(i)`` gives the p-value; every one is asked for, in order."""
    level, n = exact_level(delta), check_count("n", n, 0)
    values = [asked(ask, index) for index in range(n)]
    steps = sorted(range(n), key=values.__getitem__)
    n_rejected = next((rank for rank, index in enumerate(steps) if values[index] * (n - rank) > level), n)
    return tuple(sorted(steps[:n_rejected]))


def multi_start(p_values: Sequence[Exact], delta: Exact, n_starts: int) -> tuple[int, ...]:
    """Which hypotheses are rejected when the order is tested from several starts at once.

    The order is cut into ``n_starts`` runs of neighbours, as equal in length as can be: run j begins at
    floor(j n / n_starts). Each run is a fixed sequence of its own at delta / n_starts: it ends at its first failure.
    One safe variant that fails thus costs its run, and not everything behind it.

    In the literature a sequence may also walk on into the run behind it (Angelopoulos et al.); at an equal level for
    all starts it rejects the same. Starts at j floor(n / n_starts) leave the rest to the last run. Passing the level of
    a finished run on to the next is another procedure (``fallback`` does so for each hypothesis). Starts that are read
    off the calibration rows are not valid.

    Args:
        p_values: Valid p-values in the order that was fixed beforehand; taken exactly.
        delta: Acceptable chance of one false rejection or more, in (0, 1), taken exactly.
        n_starts: Number of starts; at least 1, and at most the number of hypotheses (if there are any).

    Returns:
        The rejected indices, ascending.

    Raises:
        ValueError: A p-value or delta is no probability, or there are more starts than hypotheses.

    Guarantee:
        The chance of rejecting any true hypothesis is at most ``delta``: delta / n_starts for each fixed sequence.

    Source:
        Angelopoulos et al., Learn then Test, arXiv:2110.01052.

    Example:
        >>> multi_start([0.01, 0.9, 0.01, 0.02, 0.03, 0.01], delta=0.05, n_starts=2)
        (0, 3)
    """
    return run_multi_start(p_values.__getitem__, len(p_values), delta, n_starts)


def run_multi_start(ask: Ask, n: int, delta: Exact, n_starts: int) -> tuple[int, ...]:
    """``multi_start`` where ``ask(i)`` gives the p-value of hypothesis i; none is asked behind a run's failure."""
    level, n = exact_level(delta), check_count("n", n, 0)
    n_starts = check_count("n_starts", n_starts, 1, max(n, 1))
    starts = [run * n // n_starts for run in range(n_starts + 1)]
    rejected: list[int] = []
    for first, after in pairwise(starts):
        for index in range(first, after):
            if asked(ask, index) * n_starts > level:
                break
            rejected.append(index)
    return tuple(rejected)
