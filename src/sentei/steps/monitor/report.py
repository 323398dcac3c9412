"""What a monitor has found, in words and in numbers."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

from sentei.risk.claims.wording import hundredfold
from sentei.risk.decimals import decimal_up, grouped, short
from sentei.steps.monitor.state import State
from sentei.steps.monitor.watches import Watch, share_of

VERDICTS = {"revoke": ("stands", "revoked"), "certify": ("open", "proven")}


def verdict(watch: Watch, state: State) -> str:
    """What a watch shows whose evidence is enough, in one sentence.

    Evidence against "at most the limit, at every time" says that some time it was more; since when, it does not say.
    """
    evidence = watch.evidence
    side = "has risen above" if evidence.direction == "revoke" else "is below"
    p_value = min(1.0, evidence.p_value * len(state.watches))
    return (
        f"with {hundredfold(1 - Decimal(state.delta))} % confidence the {watch.measure} {side} {evidence.limit}: "
        f"{grouped(evidence.n_rows)} rows, mean {evidence.mean:.5f}, p = {short(decimal_up(p_value))}"
    )


def lines(state: State) -> list[str]:
    """What is watched and how much evidence there is, for people."""
    proof = "for the claim" if state.limit is None else "that the disagreement is below --limit"
    goal = "that it does not hold any more" if state.aim == "revoke" else proof
    needed = _number(float(1 / share_of(state.delta, state.watches)))
    told = [f"evidence {goal}, of which {needed} would be enough:"]
    for watch in state.watches:
        evidence = watch.evidence
        seen = f"{grouped(evidence.n_rows)} rows" + (f", mean {evidence.mean:.5f}" if evidence.n_rows else "")
        told.append(
            f"  {watch.measure}, limit {evidence.limit}: {_number(evidence.wealth)} now, {_number(evidence.peak)} at "
            f"most so far; {seen}"
        )
    return told


def conclusion(state: State) -> str:
    """The last line, for people."""
    if state.crossed is None:
        return "the certificate stands" if state.aim == "revoke" else "not proven yet; labels may keep arriving"
    found = state.crossed
    return f"{'REVOKED' if state.aim == 'revoke' else 'proven'} at {found['at']}: {found['reason']}"


def facts(state: State) -> dict[str, Any]:
    """The state in numbers, for machines."""
    return {
        "verdict": VERDICTS[state.aim][state.crossed is not None],
        "certificate_sha256": state.certificate_sha256,
        "delta": state.delta,
        "n_files": len(state.fed),
        "watches": [_facts(watch, share_of(state.delta, state.watches)) for watch in state.watches],
        "crossed": state.crossed,
        "registry": state.revoked,
    }


def _facts(watch: Watch, share: Fraction) -> dict[str, Any]:
    evidence = watch.evidence
    return {
        "measure": watch.measure,
        "limit": evidence.limit,
        "n_rows": evidence.n_rows,
        "mean": evidence.mean if evidence.n_rows else None,
        "evidence": evidence.wealth,
        "largest_evidence": evidence.peak,
        "enough": float(1 / share),
    }


def _number(value: float) -> str:
    """Three digits, plainly where that is short."""
    return f"{value:.3g}"
