"""Testing that goes on behind a failure: shares of delta that are handed on when they were not spent."""

from collections.abc import Sequence
from fractions import Fraction

from sentei.risk.arguments import check_count
from sentei.risk.levels import Ask, Exact, asked, exact_level, exact_probability


def fallback(p_values: Sequence[Exact], delta: Exact, weights: Sequence[Exact]) -> tuple[int, ...]:
    """Which hypotheses are rejected when each has its own share of ``delta``, and a rejected one hands its level on.

    Hypothesis i is tested at delta * weights[i], plus the whole level of hypothesis i - 1 if that was rejected. Testing
    goes on behind a failure, with the shares that come after it. All weight on the first is the fixed sequence.

    Args:
        p_values: Valid p-values in the order that was fixed beforehand; taken exactly.
        delta: Acceptable chance of one false rejection or more, in (0, 1), taken exactly.
        weights: One share per hypothesis, 0 or more, together at most 1; fixed beforehand. They are taken exactly, and
            ten floats of 0.1 are more than 1: pass Decimals or Fractions.

    Returns:
        The rejected indices, ascending; where the level is 0 nothing is tested and nothing rejected.

    Raises:
        ValueError: A p-value or delta is no probability, or the weights are not as above.

    Guarantee:
        The chance of rejecting any true hypothesis is at most ``delta``, whatever the dependence between the p-values.

    Source:
        Wiens (2003); Wiens and Dmitrienko (2005); Bretz et al. (2009) draw it as a graph.

    Example:
        >>> fallback([0.02, 0.03, 0.2, 0.01], delta=0.05, weights=[0.5, 0.25, 0, 0.25])
        (0, 1, 3)
    """
    return run_fallback(p_values.__getitem__, len(p_values), delta, weights)


def run_fallback(ask: Ask, n: int, delta: Exact, weights: Sequence[Exact]) -> tuple[int, ...]:
    """``fallback`` where ``ask(i)`` gives the p-value of hypothesis i; asked only where there is a level to spend."""
    level, n = exact_level(delta), check_count("n", n, 0)
    shares = _shares(weights, n)
    rejected: list[int] = []
    handed_on = Fraction(0)
    for index, share in enumerate(shares):
        own = handed_on + share * level
        passed = own > 0 and asked(ask, index) <= own
        handed_on = own if passed else Fraction(0)
        rejected += [index] * passed
    return tuple(rejected)


def _shares(weights: Sequence[Exact], n: int) -> list[Fraction]:
    shares = [exact_probability(f"weights[{index}]", weight) for index, weight in enumerate(weights)]
    if len(shares) != n or sum(shares) > 1:
        raise ValueError(
            f"expected one weight for each of {n} hypotheses, together at most 1, received {len(shares)} that sum to "
            f"{float(sum(shares))!r}; taken exactly, floats may sum to more than 1, so pass Decimals or Fractions"
        )
    return shares
