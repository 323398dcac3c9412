"""Writes the record of a decision."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sentei.certificate.canonical import digest
from sentei.certificate.decide import Rule, decide, order_variants
from sentei.certificate.evidence import Evidence
from sentei.certificate.record import (
    DOES_NOT_SAY,
    FORMAT,
    WITH_LEDGER,
    WITHOUT_LEDGER,
    Candidate,
    Certificate,
    Code,
    Data,
    Entry,
    Outlook,
    Procedure,
    Refusal,
    Runtime,
    Split,
    parse,
)
from sentei.errors import CertificateError
from sentei.risk import Claim, Decision
from sentei.risk.pair import Pair
from sentei.risk.tally import tally_of


@dataclass(frozen=True)
class Circumstances:
    """What a record states but cannot be recomputed from losses: data, code, runtime, ledger and time (UTC).

    ``spent`` is why the ledger refused, if it did; then no calibration row was read.
    """

    data: Data
    code: Code
    runtime: Runtime
    issued_at: str
    ledger: Entry | None = None
    spent: str = ""


def issue(
    decision: Decision, claims: Sequence[Claim], rule: Rule, evidence: Evidence, circumstances: Circumstances
) -> Certificate | Refusal:
    """The record of a decision: a certificate if a variant was chosen, otherwise a refusal with its reasons.

    Args:
        decision: What ``decide`` returned while the calibration losses were computed.
        claims: What had to be proven.
        rule: How variants were ordered, tested and chosen.
        evidence: Everything that the record can be recomputed from.
        circumstances: Everything else that it states.

    Raises:
        CertificateError: The evidence does not lead to this decision, or does not fit the circumstances; nothing is
            issued then.

    Guarantee:
        ``recheck`` of the record with the same evidence finds nothing.
    """
    try:
        record, again = compose(claims, rule, evidence, circumstances)
    except (ValueError, KeyError) as error:
        raise CertificateError(f"nothing is issued, because the evidence is malformed: {error}") from error
    if again != decision:
        raise CertificateError(
            f"the evidence leads to {again.chosen!r} ({again.reason}), the decision was {decision.chosen!r} "
            f"({decision.reason}); nothing is issued: run calibrate again"
        )
    if record.data != circumstances.data:
        raise CertificateError(
            f"the evidence belongs to the splits {record.data.splits}, the circumstances name "
            f"{circumstances.data.splits}; nothing is issued: use the losses of these rows"
        )
    if len(np.unique(evidence.calibration_row_digests, axis=0)) != len(evidence.calibration_row_digests):
        raise CertificateError(
            "a calibration row stands in its split twice, so the rows are not independent; nothing is issued: "
            "drop duplicates"
        )
    if set(evidence.calibration_columns) != {test.name for test in decision.tests}:
        raise CertificateError("the evidence holds calibration losses of variants that were not tested; leave them out")
    return parse(record.to_json())


def compose(
    claims: Sequence[Claim], rule: Rule, evidence: Evidence, circumstances: Circumstances
) -> tuple[Certificate | Refusal, Decision]:
    """The record that the evidence leads to, and the decision in it; ``issue`` and ``recheck`` share this path.

    Raises:
        CertificateError: The evidence lacks something that it needs.
        ValueError: The evidence is malformed.
    """
    decision = _decision(claims, rule, evidence, circumstances)
    circumstances = replace(circumstances, data=_data(evidence, circumstances.data))
    shared = _shared(decision, claims, rule, evidence, circumstances)
    if decision.chosen is None:
        return Refusal(
            verdict="refused", reason=decision.reason, candidates=_candidates(claims, evidence), **shared
        ), decision
    chosen = decision.chosen
    if chosen not in evidence.variants or evidence.variants[chosen].name != chosen:
        raise CertificateError(f"the evidence lacks the digests of the certified variant {chosen!r}")
    certificate = Certificate(
        verdict="certified",
        upper_bounds=_upper_bounds(decision, claims, evidence),
        variant=evidence.variants[chosen],
        does_not_say=(*DOES_NOT_SAY, WITH_LEDGER if circumstances.ledger else WITHOUT_LEDGER),
        **shared,
    )
    return certificate, decision


def _decision(claims: Sequence[Claim], rule: Rule, evidence: Evidence, circumstances: Circumstances) -> Decision:
    if not circumstances.spent:
        return decide(claims, rule, evidence.selection, evidence.calibration)
    if evidence.dense_calibration:
        raise CertificateError("the ledger refused this attempt, and yet the evidence holds calibration losses")
    return Decision(order_variants(claims, rule, evidence.selection), (), (), None, circumstances.spent)


def _shared(
    decision: Decision, claims: Sequence[Claim], rule: Rule, evidence: Evidence, circumstances: Circumstances
) -> dict[str, Any]:
    """The fields that certificates and refusals have in common."""
    return {
        "format": FORMAT,
        "claims": tuple(claims),
        "procedure": _procedure(decision, rule),
        "dense": evidence.dense,
        "family_digest": digest([dict(member) for member in evidence.family]),
        "data": circumstances.data,
        "code": circumstances.code,
        "runtime": circumstances.runtime,
        "ledger": circumstances.ledger,
        "issued_at": circumstances.issued_at,
    }


def _upper_bounds(decision: Decision, claims: Sequence[Claim], evidence: Evidence) -> tuple[str, ...]:
    test = next(test for test in decision.tests if test.name == decision.chosen)
    calibration = evidence.calibration
    pair = Pair(calibration.columns_of(test.name), calibration.dense, calibration.seed)
    settled = [finding.settled for finding in test.findings]
    return tuple(c.upper_bound(c.see(pair, choice), choice) for c, choice in zip(claims, settled, strict=True))


def _procedure(decision: Decision, rule: Rule) -> Procedure:
    return Procedure(
        name=rule.procedure.name,
        n_starts=rule.procedure.n_starts,
        order_rule=rule.order,
        cost=rule.cost,
        order=decision.order,
        order_digest=digest(decision.order),
        position=None if decision.chosen is None else decision.order.index(decision.chosen),
        tests=decision.tests,
    )


def _candidates(claims: Sequence[Claim], evidence: Evidence) -> tuple[Candidate, ...]:
    selection, n_rows = evidence.selection, len(evidence.calibration_row_digests)
    return tuple(_candidate(name, selection.pair(name), claims, n_rows) for name in selection.made())


def _candidate(name: str, pair: Pair, claims: Sequence[Claim], n_rows: int) -> Candidate:
    return Candidate(name, tuple(outlook(claim, pair, n_rows) for claim in claims))


def outlook(claim: Claim, pair: Pair, n_rows: int) -> Outlook:
    """What the selection split says of one variant about one claim.

    Args:
        claim: What is to be proven.
        pair: The variant and the dense model on the selection rows.
        n_rows: Number of calibration rows.
    """
    settled = claim.settle(pair, n_rows)
    seen = claim.see(pair, settled)
    tally = tally_of(seen)
    return Outlook(settled, tally, claim.estimate_text(tally), claim.rows_needed(seen, settled))


def _data(evidence: Evidence, data: Data) -> Data:
    """The data as stated, with what the evidence knows of them put in place."""
    if not {"selection", "calibration"} <= set(data.splits):
        raise CertificateError(f"expected the splits selection and calibration, received {sorted(data.splits)}")
    selection = Split(evidence.selection_size(), data.splits["selection"].digest)
    known = {"calibration": evidence.calibration_split(), "selection": selection}
    return replace(data, splits={**data.splits, **known})
