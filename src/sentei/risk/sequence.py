"""From p-values to a choice: fixed-sequence testing, and the cheapest variant that it certified."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from sentei.risk.arguments import check_probability
from sentei.risk.claim import Claim
from sentei.risk.claims import KINDS
from sentei.risk.counts import Counts
from sentei.risk.decimals import parse_decimal, short


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


@dataclass(frozen=True)
class Test:
    """One variant's test on the calibration split.

    Attributes:
        name: The variant.
        counts: What was seen.
        p_value: Decimal text, rounded up.
        passed: Whether the p-value is at most delta.
    """

    __test__: ClassVar[bool] = False  # pytest takes every class of this name for a test case

    name: str
    counts: Counts
    p_value: str
    passed: bool

    def __post_init__(self) -> None:
        parse_decimal("p_value", self.p_value)


@dataclass(frozen=True)
class Decision:
    """What was tested, what was certified, and which variant was chosen.

    Attributes:
        order: Every variant that could have been tested, in the order fixed beforehand.
        tests: The tests that were made: the passes, then the failure that ended the sequence, if one did.
        certified: Names of the variants that passed, in the order.
        chosen: The certified variant of least cost, or None.
        reason: Why, in plain words with the numbers.
    """

    order: tuple[str, ...]
    tests: tuple[Test, ...]
    certified: tuple[str, ...]
    chosen: str | None
    reason: str


def run_fixed_sequence(
    order: Sequence[str], counts_of: Callable[[str], Counts], claim: Claim, cost_of: Mapping[str, float]
) -> Decision:
    """Test variants in the given order until one fails, and choose the cheapest that passed.

    Args:
        order: Names, safest first, fixed without the calibration rows.
        counts_of: The calibration counts of a variant; asked only when its turn comes.
        claim: What has to be proven of each.
        cost_of: The cost of each variant, measured without the calibration rows; smaller is better.

    Returns:
        The decision; with ``chosen`` None and a reason if nothing could be certified.

    Raises:
        ValueError: A name appears twice or has no cost.

    Guarantee:
        With probability at least 1 - delta every certified variant satisfies the claim, and so does the chosen one.
    """
    _check_order(order, cost_of)
    tests = []
    for name in order:
        counts = counts_of(name)
        p_value = claim.p_value(counts)
        tests.append(Test(name, counts, p_value, claim.holds(p_value)))
        if not tests[-1].passed:
            break
    certified = tuple(test.name for test in tests if test.passed)
    chosen = min(certified, key=lambda name: cost_of[name], default=None)
    return Decision(tuple(order), tuple(tests), certified, chosen, _reason(tests, certified, chosen, claim))


def _check_order(order: Sequence[str], cost_of: Mapping[str, float]) -> None:
    if len(set(order)) != len(order):
        raise ValueError(f"expected every variant once in the order, received {list(order)}; test each one once")
    for name in order:
        if name not in cost_of or not float(cost_of[name]) < float("inf"):
            raise ValueError(f"variant {name!r} has no finite cost, so it cannot be chosen by cost; measure it first")


def _reason(tests: Sequence[Test], certified: Sequence[str], chosen: str | None, claim: Claim) -> str:
    if not tests:
        return "there was no variant to test"
    last = tests[-1]
    seen = f"{KINDS[claim.kind].describe_counts(last.counts)}, p = {short(last.p_value)}"
    failure = f"did not pass: {seen} > {claim.delta}"
    if chosen is None:
        return f"the safest variant {last.name!r} {failure}"
    end = "all in the order passed" if last.passed else f"the sequence ended at {last.name!r}, which {failure}"
    return f"{chosen!r} is the cheapest of {len(certified)} certified; {end}"
