"""A whole family under test: one claim or several, a procedure, a choice by cost."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Literal, get_args

from sentei.risk.claim import Claim
from sentei.risk.decimals import short
from sentei.risk.decision import Decision, Finding, Test
from sentei.risk.fallback import run_fallback
from sentei.risk.levels import Ask
from sentei.risk.procedures import run_bonferroni, run_holm, run_multi_start
from sentei.risk.sequence import run_fixed_sequence

Name = Literal["fixed-sequence", "bonferroni", "holm", "multi-start", "fallback"]
NAMES: tuple[Name, ...] = get_args(Name)


@dataclass(frozen=True)
class Procedure:
    """How the chance of a false claim is shared by the variants of a family.

    Attributes:
        name: One of ``NAMES``.
        n_starts: For ``multi-start``: how many sequences; never more than there are variants to test.

    Raises:
        ValueError: The name is unknown, or there is no start.
    """

    name: Name = "fixed-sequence"
    n_starts: int = 1

    def __post_init__(self) -> None:
        if self.name not in NAMES:
            raise ValueError(f"the procedure must be one of {', '.join(NAMES)}, received {self.name!r}")
        if self.n_starts < 1 or (self.n_starts > 1 and self.name != "multi-start"):
            raise ValueError(f"{self.name} has one start, and multi-start one or more; received {self.n_starts}")

    def n_passes(self, n: int) -> int:
        """How many different tables of verdicts with a pass in them ``n`` variants could come to.

        A fixed sequence passes the first k of its order, for some k; every other procedure may pass any of them.
        """
        return n if self.name == "fixed-sequence" else 2**n - 1

    def run(self, ask: Ask, n: int, delta: Decimal) -> tuple[int, ...]:
        """The rejected hypotheses, ascending.

        Args:
            ask: The p-value of a hypothesis; asked at most once for each, and only when its turn comes.
            n: Number of hypotheses, in the order fixed beforehand.
            delta: Acceptable chance of one false rejection or more.
        """
        if self.name == "multi-start":
            return run_multi_start(ask, n, delta, min(self.n_starts, max(n, 1)))
        if self.name == "fallback":
            return run_fallback(ask, n, delta, [Fraction(1, n)] * n)
        run = {"fixed-sequence": run_fixed_sequence, "bonferroni": run_bonferroni, "holm": run_holm}[self.name]
        return run(ask, n, delta)


def examine(
    order: Sequence[str],
    findings_of: Callable[[str], tuple[Finding, ...]],
    claims: Sequence[Claim],
    cost_of: Mapping[str, float],
    procedure: Procedure,
) -> Decision:
    """Test variants in the given order, and choose the cheapest that passed.

    Args:
        order: Names, safest first, fixed without the calibration rows.
        findings_of: What the calibration rows say of a variant, one finding per claim; asked when its turn comes.
        claims: What has to be proven of each, all at one delta.
        cost_of: The cost of each variant, measured without the calibration rows; smaller is better.
        procedure: How delta is shared.

    Returns:
        The decision; with ``chosen`` None and a reason if nothing could be certified.

    Raises:
        ValueError: A name appears twice or has no cost, or the claims have different deltas.

    Guarantee:
        With probability at least 1 - delta every certified variant satisfies all claims, and so does the chosen one.
        The hypothesis about a variant is that one claim or more is false; the largest of the claims' p-values is
        valid for it, whatever their dependence (intersection-union test), so that delta is not shared among claims.
    """
    _check_order(order, cost_of)
    delta = _one_delta(claims)
    seen: dict[int, tuple[Finding, ...]] = {}

    def ask(index: int) -> Decimal:
        seen[index] = findings_of(order[index])
        return max(Decimal(finding.p_value) for finding in seen[index])

    rejected = set(procedure.run(ask, len(order), delta)) if order else set()
    tests = tuple(Test(order[index], seen[index], index in rejected) for index in sorted(seen))
    certified = tuple(test.name for test in tests if test.passed)
    chosen = min(certified, key=lambda name: cost_of[name], default=None)
    reason = _reason(tests, certified, chosen, claims, procedure)
    return Decision(tuple(order), tests, certified, chosen, reason)


def _one_delta(claims: Sequence[Claim]) -> Decimal:
    deltas = {Decimal(claim.delta) for claim in claims}
    if len(deltas) != 1:
        raise ValueError(f"expected one claim or more at one delta, received {sorted(map(str, deltas))}")
    return deltas.pop()


def _check_order(order: Sequence[str], cost_of: Mapping[str, float]) -> None:
    if len(set(order)) != len(order):
        raise ValueError(f"expected every variant once in the order, received {list(order)}; test each one once")
    for name in order:
        if name not in cost_of or not float(cost_of[name]) < float("inf"):
            raise ValueError(f"variant {name!r} has no finite cost, so it cannot be chosen by cost; measure it first")


def _reason(
    tests: Sequence[Test], certified: Sequence[str], chosen: str | None, claims: Sequence[Claim], procedure: Procedure
) -> str:
    if not tests:
        return "there was no variant to test"
    failed = [test for test in tests if not test.passed]
    if procedure.name != "fixed-sequence":
        passed = f"{len(certified)} of {len(tests)} tested variants passed by {procedure.name}"
        return passed if chosen is None else f"{chosen!r} is the cheapest of {len(certified)} certified; {passed}"
    if chosen is None:
        return f"the safest variant {failed[0].name!r} {_failure(failed[0], claims)}"
    end = (
        f"the sequence ended at {failed[0].name!r}, which {_failure(failed[0], claims)}"
        if failed
        else ("all in the order passed")
    )
    return f"{chosen!r} is the cheapest of {len(certified)} certified; {end}"


def _failure(test: Test, claims: Sequence[Claim]) -> str:
    index = max(range(len(claims)), key=lambda i: Decimal(test.findings[i].p_value))
    claim, finding = claims[index], test.findings[index]
    which = f" {claim.kind}" if len(claims) > 1 else ""
    return f"did not pass{which}: {claim.describe_tally(finding.tally)}, p = {short(finding.p_value)} > {claim.delta}"
