"""Fixed-sequence testing: the full delta for each, until the first failure."""

from collections.abc import Callable, Mapping, Sequence

from sentei.risk.arguments import check_probability
from sentei.risk.claim import Claim
from sentei.risk.decision import Decision, Finding
from sentei.risk.family import Procedure, examine
from sentei.risk.tally import Seen, tally_of


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
    n_rejected = next((i for i, p in enumerate(values) if p > delta), len(values))
    return tuple(range(n_rejected))


def run_fixed_sequence(
    order: Sequence[str], seen_of: Callable[[str], Seen], claim: Claim, cost_of: Mapping[str, float]
) -> Decision:
    """Test variants in the given order until one fails, and choose the cheapest that passed.

    Args:
        order: Names, safest first, fixed without the calibration rows.
        seen_of: What the calibration rows say of a variant; asked only when its turn comes.
        claim: What has to be proven of each.
        cost_of: The cost of each variant, measured without the calibration rows; smaller is better.

    Returns:
        The decision; with ``chosen`` None and a reason if nothing could be certified.

    Raises:
        ValueError: A name appears twice or has no cost.

    Guarantee:
        With probability at least 1 - delta every certified variant satisfies the claim, and so does the chosen one.
    """

    def findings_of(name: str) -> tuple[Finding, ...]:
        seen = seen_of(name)
        return (Finding({}, tally_of(seen), claim.p_value(seen)),)

    return examine(order, findings_of, [claim], cost_of, Procedure())
