"""The record in one sentence, for people."""

from decimal import Decimal

from sentei.certificate.record import Certificate, Refusal
from sentei.risk.claims import KINDS
from sentei.risk.decimals import short


def sentence(record: Certificate | Refusal) -> str:
    """What was proven, or why nothing was, in one sentence.

    Returns:
        For example ``with 95 % confidence the variant's accuracy is at most 1 point below the dense model's:
        n = 10 000, 37 harmed, 21 helped, p = 0.00201``; or ``nothing was certified: ...``.
    """
    claim = record.claim
    if isinstance(record, Refusal):
        return f"nothing was certified: {record.reason}"
    kind = KINDS[claim.kind]
    confidence = f"{(1 - Decimal(claim.delta)) * 100:f}"
    confidence = confidence.rstrip("0").rstrip(".") if "." in confidence else confidence
    limit = kind.describe_limit(Decimal(claim.tolerance))
    return f"with {confidence} % confidence {limit}: {kind.describe_counts(record.counts)}, p = {short(record.p_value)}"
