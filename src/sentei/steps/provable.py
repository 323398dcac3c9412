"""What so many calibration rows can prove at best, in words, before anything is trained."""

from dataclasses import replace

from sentei.risk import Claim, Counts
from sentei.risk.decimals import grouped
from sentei.risk.tally import Disagreements
from sentei.steps.wording import drop

DISAGREEMENTS = (0, 0.005, 0.01, 0.02)
MOST_ROWS = 10**8
DROP_METHODS = ("paired", "clipped")
LOSS_METHODS = ("betting", "hoeffding-bentkus")


def provable(claim: Claim, n: int) -> tuple[str, ...]:
    """What ``n`` calibration rows can prove of this kind, one line each; first of all, if they cannot prove the claim.

    Example:
        >>> provable(Claim("risk", "0.01", "0.05"), 298)
        ('cannot be proven on 298 rows, even if no row is wrong: it takes at least 299 rows',)
    """
    best = "no row is wrong" if claim.kind in ("risk", "selective_risk") else "the two models agree on every row"
    hopeless = f"cannot be proven on {grouped(n)} rows, even if {best}: "
    impossible = () if flawless_passes(claim, n) else (hopeless + _instead(claim),)
    if claim.kind == "accuracy_drop":
        return (*impossible, _drops(claim, n))
    counted = {"risk": "errors", "disagreement": "disagreements"}.get(claim.kind)
    if impossible or counted is None or claim.settings.get("loss", "zero_one") != "zero_one":
        return impossible or (f"can be proven on {grouped(n)} rows if {best}",)
    return (_errors(claim, n, counted),)


def fewest_rows(claim: Claim) -> int | None:
    """The fewest rows on which a variant without a flaw passes; None if a hundred million would not do.

    Without a flaw means: no error for ``risk``, no disagreement with the dense model for ``accuracy_drop``.

    Example:
        >>> fewest_rows(Claim("risk", "0.01", "0.05"))
        299
    """
    if claim.value == 0:
        return None
    low, high = 0, 1
    while not flawless_passes(claim, high):
        low, high = high, 2 * high
        if high > MOST_ROWS:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if flawless_passes(claim, middle) else (middle, high)
    return high


def most_errors(claim: Claim, n: int) -> int:
    """The most errors or disagreements on ``n`` rows with which a variant passes a claim about them; -1 if none pass.

    Example:
        >>> most_errors(Claim("risk", "0.05", "0.05"), 1000)
        38
    """
    low, high = -1, n
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _passes(claim, n, middle) else (low, middle)
    return low


def flawless_passes(claim: Claim, n: int) -> bool:
    """Whether a variant without a flaw passes on ``n`` rows, by the method that the selection split would settle."""
    if claim.value == 0:
        return False
    best = claim.flawless(n)
    return any(claim.holds(claim.p_value(best, settled)) for settled in _could_be_settled(claim))


def _could_be_settled(claim: Claim) -> list[dict[str, str]]:
    method = claim.settings.get("method", "")
    if method != "auto":
        return [{}]
    if claim.kind == "risk":
        masks = claim.settings["loss"] != "zero_one"
        return [{"method": name} for name in (LOSS_METHODS if masks else ("binomial",))]
    return [{"method": name} for name in DROP_METHODS]


def _passes(claim: Claim, n: int, n_wrong: int) -> bool:
    seen = Disagreements(n, n_wrong) if claim.kind == "disagreement" else Counts(n, n_wrong, n_wrong, 0, 0)
    return claim.holds(claim.p_value(seen))


def _instead(claim: Claim) -> str:
    if claim.value == 0:
        return "only a variant that helps more rows than it harms can pass"
    fewest = fewest_rows(claim)
    return f"it takes {'at least' if fewest else 'more than'} {grouped(fewest or MOST_ROWS)} rows"


def _errors(claim: Claim, n: int, counted: str) -> str:
    errors = most_errors(claim, n)
    hundredths = errors * 10_000 // n  # rounded down: the rate that is said still passes
    return (
        f"a variant passes with at most {grouped(errors)} {counted} on these {grouped(n)} rows, "
        f"a rate of {hundredths // 100}.{hundredths % 100:02} %"
    )


def _drops(claim: Claim, n: int) -> str:
    claim = replace(claim, settings={"method": "paired"}) if claim.settings["method"] == "auto" else claim
    halves = sorted({round(n * share / 2) for share in DISAGREEMENTS})
    bounds = [(half, drop(claim.upper_bound(Counts(n, half, half, half, half)))) for half in halves]
    said = ", ".join(f"{bound} with {grouped(half)} and {grouped(half)}" for half, bound in bounds)
    return f"the smallest drop that can be proven, by rows harmed and helped: {said}"
