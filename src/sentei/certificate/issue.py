"""Writes the record of a decision."""

from dataclasses import dataclass, replace

from sentei.certificate.canonical import digest
from sentei.certificate.decide import Rule, decide
from sentei.certificate.evidence import Evidence
from sentei.certificate.record import (
    DOES_NOT_SAY,
    FORMAT,
    Candidate,
    Certificate,
    Code,
    Data,
    Procedure,
    Refusal,
    Runtime,
    Split,
    parse,
)
from sentei.errors import CertificateError
from sentei.risk import Claim, Decision


@dataclass(frozen=True)
class Circumstances:
    """What a record states but cannot be recomputed from losses: data, code, runtime and time (UTC, to the second)."""

    data: Data
    code: Code
    runtime: Runtime
    issued_at: str


def issue(
    decision: Decision, claim: Claim, rule: Rule, evidence: Evidence, circumstances: Circumstances
) -> Certificate | Refusal:
    """The record of a decision: a certificate if a variant was chosen, otherwise a refusal with its reasons.

    Args:
        decision: What ``decide`` returned while the calibration losses were computed.
        claim: What had to be proven.
        rule: How variants were ordered and chosen.
        evidence: Everything that the record can be recomputed from.
        circumstances: Everything else that it states.

    Raises:
        CertificateError: The evidence does not lead to this decision, or does not fit the circumstances; nothing is
            issued then.

    Guarantee:
        ``recheck`` of the record with the same evidence finds nothing.
    """
    try:
        record, again = compose(claim, rule, evidence, circumstances)
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
    if set(evidence.calibration_losses) != {test.name for test in decision.tests}:
        raise CertificateError("the evidence holds calibration losses of variants that were not tested; leave them out")
    return parse(record.to_json())


def compose(
    claim: Claim, rule: Rule, evidence: Evidence, circumstances: Circumstances
) -> tuple[Certificate | Refusal, Decision]:
    """The record that the evidence leads to, and the decision in it; ``issue`` and ``recheck`` share this path.

    Raises:
        CertificateError: The evidence lacks something that it needs.
        ValueError: The evidence is malformed.
    """
    decision = decide(
        claim, rule, evidence.selection, evidence.calibration_losses_of, evidence.dense_calibration_losses
    )
    circumstances = replace(circumstances, data=_data(evidence, circumstances.data))
    if decision.chosen is None:
        return _refusal(decision, claim, rule, evidence, circumstances), decision
    return _certificate(decision, decision.chosen, claim, rule, evidence, circumstances), decision


def _certificate(
    decision: Decision, chosen: str, claim: Claim, rule: Rule, evidence: Evidence, circumstances: Circumstances
) -> Certificate:
    test = next(test for test in decision.tests if test.name == chosen)
    if chosen not in evidence.variants or evidence.variants[chosen].name != chosen:
        raise CertificateError(f"the evidence lacks the digests of the certified variant {chosen!r}")
    return Certificate(
        format=FORMAT,
        verdict="certified",
        claim=claim,
        counts=test.counts,
        p_value=test.p_value,
        upper_bound=claim.upper_bound(test.counts),
        procedure=_procedure(decision, rule),
        variant=evidence.variants[chosen],
        dense=evidence.dense,
        family_digest=digest([dict(member) for member in evidence.family]),
        data=circumstances.data,
        code=circumstances.code,
        runtime=circumstances.runtime,
        issued_at=circumstances.issued_at,
        does_not_say=DOES_NOT_SAY,
    )


def _refusal(decision: Decision, claim: Claim, rule: Rule, evidence: Evidence, circumstances: Circumstances) -> Refusal:
    return Refusal(
        format=FORMAT,
        verdict="refused",
        claim=claim,
        reason=decision.reason,
        procedure=_procedure(decision, rule),
        candidates=_candidates(claim, evidence),
        dense=evidence.dense,
        family_digest=digest([dict(member) for member in evidence.family]),
        data=circumstances.data,
        code=circumstances.code,
        runtime=circumstances.runtime,
        issued_at=circumstances.issued_at,
    )


def _procedure(decision: Decision, rule: Rule) -> Procedure:
    return Procedure(
        name="fixed-sequence",
        order_rule=rule.order,
        cost=rule.cost,
        order=decision.order,
        order_digest=digest(decision.order),
        position=None if decision.chosen is None else decision.order.index(decision.chosen),
        tests=decision.tests,
    )


def _candidates(claim: Claim, evidence: Evidence) -> tuple[Candidate, ...]:
    selection = evidence.selection
    counts = {name: selection.counts(name) for name in selection.made()}
    return tuple(
        Candidate(name, seen, claim.estimate_text(seen), claim.rows_needed(seen)) for name, seen in counts.items()
    )


def _data(evidence: Evidence, data: Data) -> Data:
    """The data as stated, with what the evidence knows of them put in place."""
    if not {"selection", "calibration"} <= set(data.splits):
        raise CertificateError(f"expected the splits selection and calibration, received {sorted(data.splits)}")
    selection = Split(len(evidence.dense_selection_losses), data.splits["selection"].digest)
    known = {"calibration": evidence.calibration_split(), "selection": selection}
    return replace(data, splits={**data.splits, **known})
