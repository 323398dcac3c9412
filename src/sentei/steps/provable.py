"""What so many calibration rows can prove at best, in words, before anything is trained."""

from sentei.risk import Claim, Counts
from sentei.risk.decimals import grouped
from sentei.steps.wording import drop

DISAGREEMENTS = (0, 0.005, 0.01, 0.02)
MOST_ROWS = 10**8


def provable(claim: Claim, n: int) -> tuple[str, ...]:
    """What ``n`` calibration rows can prove of this kind, one line each; first of all, if they cannot prove the claim.

    Example:
        >>> provable(Claim("risk", "0.01", "0.05"), 298)
        ('cannot be proven on 298 rows, even if no row is wrong: it takes at least 299 rows',)
    """
    best = "no row is wrong" if claim.kind == "risk" else "the two models agree on every row"
    hopeless = f"cannot be proven on {grouped(n)} rows, even if {best}: "
    impossible = () if _passes(claim, n, 0) else (hopeless + _instead(claim),)
    if claim.kind == "accuracy_drop":
        return (*impossible, _drops(claim, n))
    return impossible or (_errors(claim, n),)


def fewest_rows(claim: Claim) -> int | None:
    """The fewest rows on which a variant without a flaw passes; None if a hundred million would not do.

    Without a flaw means: no error for ``risk``, no disagreement with the dense model for ``accuracy_drop``.

    Example:
        >>> fewest_rows(Claim("risk", "0.01", "0.05"))
        299
    """
    low, high = 0, 1
    while not _passes(claim, high, 0):
        low, high = high, 2 * high
        if high > MOST_ROWS:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _passes(claim, middle, 0) else (middle, high)
    return high


def most_errors(claim: Claim, n: int) -> int:
    """The most errors on ``n`` rows with which a variant passes a claim about risk; -1 if none pass.

    Example:
        >>> most_errors(Claim("risk", "0.05", "0.05"), 1000)
        38
    """
    low, high = -1, n
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _passes(claim, n, middle) else (low, middle)
    return low


def _passes(claim: Claim, n: int, n_wrong: int) -> bool:
    return claim.holds(claim.p_value(Counts(n, n_wrong, n_wrong, 0, 0)))


def _instead(claim: Claim) -> str:
    if claim.value == 0:
        return "only a variant that helps more rows than it harms can pass"
    fewest = fewest_rows(claim)
    return f"it takes {'at least' if fewest else 'more than'} {grouped(fewest or MOST_ROWS)} rows"


def _errors(claim: Claim, n: int) -> str:
    errors = most_errors(claim, n)
    hundredths = errors * 10_000 // n  # rounded down: the rate that is said still passes
    return (
        f"a variant passes with at most {grouped(errors)} errors on these {grouped(n)} rows, "
        f"a rate of {hundredths // 100}.{hundredths % 100:02} %"
    )


def _drops(claim: Claim, n: int) -> str:
    halves = sorted({round(n * share / 2) for share in DISAGREEMENTS})
    bounds = [(half, drop(claim.upper_bound(Counts(n, half, half, half, half)))) for half in halves]
    said = ", ".join(f"{bound} with {grouped(half)} and {grouped(half)}" for half, bound in bounds)
    return f"the smallest drop that can be proven, by rows harmed and helped: {said}"
