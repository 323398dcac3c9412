"""The record in one sentence, for people."""

from collections.abc import Sequence
from decimal import Decimal

from sentei.certificate.record import Certificate, Refusal
from sentei.risk import Claim
from sentei.risk.decimals import short


def sentence(record: Certificate | Refusal) -> str:
    """What was proven, or why nothing was, in one sentence.

    Returns:
        For example ``with 95 % confidence the variant's accuracy is at most 1 point below the dense model's:
        n = 10 000, 37 harmed, 21 helped, p = 0.00201``; or ``nothing was certified: ...``.
    """
    if isinstance(record, Refusal):
        return f"nothing was certified: {record.reason}"
    proofs = [
        f"{claim.describe_tally(finding.tally)}, p = {short(finding.p_value)}"
        for claim, finding in zip(record.claims, record.findings, strict=True)
    ]
    if len(proofs) == 1:
        return f"{statement(record.claims, whole_delta(record))}: {proofs[0]}{_attempt(record)}"
    limits = [claim.describe_limit() for claim in record.claims]
    both = "; and ".join(f"{limit} ({proof})" for limit, proof in zip(limits, proofs, strict=True))
    return f"with {_confidence(whole_delta(record))} % confidence all of this: {both}{_attempt(record)}"


def statement(claims: Sequence[Claim], delta: str = "") -> str:
    """What claims promise together, in words.

    Args:
        claims: One or more, all at one delta.
        delta: The chance of a false claim to speak of, if it is not the claims' own.

    Example:
        >>> statement([Claim("risk", tolerance="0.107", delta="0.05")])
        'with 95 % confidence the variant errs on at most 10.7 % of rows'
    """
    limits = " and ".join(claim.describe_limit() for claim in claims)
    return f"with {_confidence(delta or claims[0].delta)} % confidence {limits}"


def _confidence(delta: str) -> str:
    percent = f"{(1 - Decimal(delta)) * 100:f}"
    return percent.rstrip("0").rstrip(".") if "." in percent else percent


def in_short(record: Certificate | Refusal) -> dict[str, str]:
    """The claims as three texts, for tags: kinds and tolerances joined by ``+`` where there are several.

    A kind that is nothing without a setting (which loss, which coverage, which attack) has it in brackets.
    """
    return {
        "kind": "+".join(_label(claim) for claim in record.claims),
        "tolerance": "+".join(claim.tolerance for claim in record.claims),
        "delta": whole_delta(record),
    }


def _label(claim: Claim) -> str:
    plain = {"method", "classes"} | ({"loss"} if claim.settings.get("loss") == "zero_one" else set())
    said = [text for name, text in sorted(claim.settings.items()) if name not in plain]
    return claim.kind + (f"({' '.join(said)})" if said else "")


def whole_delta(record: Certificate | Refusal) -> str:
    """The chance of a false claim over all attempts that a ledger counts; without a ledger, of this one."""
    return record.ledger.delta if record.ledger else record.claims[0].delta


def _attempt(record: Certificate) -> str:
    if record.ledger is None:
        return ""
    allowed = short(record.ledger.price)
    return f" (attempt {record.ledger.number} on these rows, to which the ledger allows {allowed})"
