"""Fixed-sequence testing: the full delta for each, until the first failure."""

from collections.abc import Sequence

from sentei.risk.arguments import check_probability
from sentei.risk.levels import Ask, Exact, asked, exact_level


def fixed_sequence(p_values: Sequence[float], delta: float) -> tuple[int, ...]:
    """Which hypotheses are rejected when they are tested in this order until the first failure.

    Args:
        p_values: Valid p-values in the order that was fixed beforehand.
        delta: Acceptable chance of one false rejection or more, in (0, 1).

    Returns:
        The rejected indices, ascending; empty if the first one fails.

    Raises:
        ValueError: A p-value or delta is no probability.

    Guarantee:
        The chance of rejecting any true hypothesis is at most ``delta``, whatever the dependence between the p-values:
        the first true hypothesis in the order must be rejected for an error to happen at all.

    Source:
        Maurer, Hothorn and Lehmacher (1995); Angelopoulos et al., Learn then Test, arXiv:2110.01052.

    Example:
        >>> fixed_sequence([0.01, 0.04, 0.2, 0.001], delta=0.05)
        (0, 1)
    """
    delta = check_probability("delta", delta)
    values = [check_probability(f"p_values[{i}]", p, zero=True, one=True) for i, p in enumerate(p_values)]
    return run_fixed_sequence(values.__getitem__, len(values), delta)


def run_fixed_sequence(ask: Ask, n: int, delta: Exact) -> tuple[int, ...]:
    """``fixed_sequence`` where ``ask(i)`` gives the p-value of hypothesis i; none is asked behind the first failure."""
    level = exact_level(delta)
    n_rejected = next((index for index in range(n) if asked(ask, index) > level), n)
    return tuple(range(n_rejected))
