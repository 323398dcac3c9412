"""all variants -> certificate or refusal, and the chosen variant."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sentei.certificate.canonical import sha256_hex
from sentei.certificate.record import Certificate, Refusal
from sentei.certificate.sentence import sentence, statement
from sentei.errors import ArtifactError, RecipeError
from sentei.risk import Claim
from sentei.risk.decimals import grouped
from sentei.steps import layout
from sentei.steps.account import NO_LEDGER, Account, OpenLedger
from sentei.steps.candidates import Candidates
from sentei.steps.evidence import write_evidence
from sentei.steps.examples import OpenUri, open_split
from sentei.steps.frozen import family_digest, from_text
from sentei.steps.hearing import Hearing
from sentei.steps.pieces import Pieces
from sentei.steps.progress import stage
from sentei.steps.used import write_used
from sentei.steps.wording import proven

RECORD = {"certified": layout.CERTIFICATE, "refused": layout.REFUSAL}


@dataclass(frozen=True)
class Decided:
    """What calibrate decided.

    Attributes:
        verdict: ``certified`` or ``refused``.
        reason: In one sentence.
        digest: Digest of the verdict artifact.
        verdicts: Per variant: certified, refused, not tested or failed.
    """

    verdict: str
    reason: str
    digest: str
    verdicts: dict[str, str]


def calibrate(
    decision: str,
    examples: str,
    dense: str | Path,
    reference: str | Path,
    variants: Sequence[str | Path],
    evaluations: Sequence[str | Path],
    verdict: str | Path,
    chosen: str | Path,
    started_at: str,
    open_uri: OpenUri | None = None,
    open_ledger: OpenLedger | None = None,
) -> Decided:
    """Write the verdict with its evidence, and the chosen variant.

    Args:
        decision: The plan's ``decision`` part.
        examples: The plan's ``examples`` part.
        dense: Folder of the dense model.
        reference: Folder of its evaluation on the selection split.
        variants: Folders of the variants.
        evaluations: Folders of their evaluations on the selection split, in the same order.
        verdict: Where the certificate or refusal goes.
        chosen: Where the chosen variant goes; of status ``failed`` when nothing is certified.
        started_at: When the run began (UTC, ISO 8601); the same for every retry, so that the record is, too.
        open_uri: Turns ``s3://`` and the like into a local path.
        open_ledger: Turns the ledger's place into a ledger.

    Raises:
        ArtifactError: The artifacts do not belong to one family and one dense model.
        RecipeError: The plan compares claims beside a ledger.
        LedgerError: The ledger cannot be trusted, or this attempt has answered otherwise before.

    Guarantee:
        The order of testing is a function of the selection split alone, and a claim runs no variant behind its first
        failure on a calibration row. The ledger's entry is reserved before a calibration row is read, and answered
        before anything is shown.
    """
    plan, data = from_text(decision), from_text(examples)
    with stage("calibrate", plan["name"]):
        candidates = Candidates.read(dense, reference, variants, evaluations, plan["family"], data)
        if family_digest(candidates.family()) != plan["family_digest"]:
            raise ArtifactError(f"the variants are not of the family {plan['family_digest'][:12]} that the plan froze")
        if plan["compare"] and plan["ledger"] != NO_LEDGER:
            raise RecipeError(
                "compare: expected nothing beside a ledger, which pays for one answer; set ledger.at to none"
            )
        rows = open_split(data, "calibration", open_uri)
        with Pieces.opened(data, rows, data["splits"]["calibration"]["digest"], plan["attacks"]) as pieces:
            hearing = Hearing(plan, data, candidates, pieces, started_at)
            claims = [Claim(**claim) for claim in plan["claims"]]
            account = Account.open(plan["ledger"], open_ledger)
            record, evidence = account.hear(hearing, claims, candidates)
            compared = [hearing.decide([Claim(**claim)], None) for claim in plan["compare"]]
        _write_chosen(record, candidates, Path(chosen))
        with layout.writing(verdict, "verdict", candidates.digests()) as draft:
            draft.write(RECORD[record.verdict], record.to_json())
            write_evidence(draft, "evidence", evidence)
            write_used(draft, data, open_uri)
            for index, (other, other_evidence) in enumerate(compared, start=1):
                draft.write(f"comparison-{index}/{RECORD[other.verdict]}", other.to_json())
                write_evidence(draft, f"comparison-{index}/evidence", other_evidence)
            verdicts = candidates.verdicts(record)
            draft.write_json(layout.TABLE, candidates.table(verdicts))
            draft.write_json(layout.LATENCY, candidates.latencies())
            outcome = _outcome(record)
            lines = [
                outcome,
                *_advice(record),
                *_comparison_lines(record, [r for r, _ in compared], candidates),
            ]
            sha256 = sha256_hex(record.to_json())
            draft.facts.update(verdict=record.verdict, lines=lines, told=_told(record), record_sha256=sha256)
        pieces.forget()
    return Decided(record.verdict, outcome, layout.read_manifest(verdict).digest, verdicts)


def _outcome(record: Certificate | Refusal) -> str:
    """In one sentence; where a ledger counts attempts, a refusal says no number of the calibration rows."""
    if isinstance(record, Refusal) and record.ledger and record.ledger.status == "reserved":
        return _told(record)
    return sentence(record)


def _write_chosen(record: Certificate | Refusal, candidates: Candidates, path: Path) -> None:
    if isinstance(record, Refusal):
        with layout.writing(path, "variant") as draft:
            draft.fail(_told(record))
        return
    source = candidates.variants[record.variant.name].path
    partial = path.with_name(f"{path.name}{layout.PARTIAL}{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(source, partial)
    shutil.rmtree(path, ignore_errors=True)
    os.rename(partial, path)
    if layout.reading(path, "variant").digest != record.variant.digest:
        raise ArtifactError(f"{path}: the copy of {record.variant.name} is not the certified one; run calibrate again")


def _told(record: Certificate | Refusal) -> str:
    """The outcome without a number from the calibration rows, for places where variants are compared."""
    if isinstance(record, Certificate):
        return f"certified: {record.variant.name}"
    if record.ledger and record.ledger.status == "spent":
        return sentence(record)  # no calibration row was read
    failed = [test.name for test in record.procedure.tests]
    if record.procedure.name != "fixed-sequence" and failed:
        return f"nothing was certified: none of {len(failed)} tested variants passed"
    safest = f"the safest variant {failed[0]} did not pass" if failed else "there was no variant to test"
    return f"nothing was certified: {safest}"


def _advice(record: Certificate | Refusal) -> list[str]:
    """What the rows prove beyond the claim; for a refusal, how many the most promising variant would need."""
    if not isinstance(record, Refusal):
        return [proven(claim, bound) for claim, bound in zip(record.claims, record.upper_bounds, strict=True)]
    needed = {one.name: [outlook.rows_needed for outlook in one.outlooks] for one in record.candidates}
    possible = {name: max(row for row in rows if row) for name, rows in needed.items() if None not in rows}
    if not possible:
        return ["no number of calibration rows would do: on the selection split no variant lies within the claim"]
    best = min(possible, key=lambda name: possible[name])
    return [f"{best} would pass with probability 0.8 on about {grouped(possible[best])} calibration rows"]


def _comparison_lines(record: Any, others: Sequence[Any], candidates: Candidates) -> list[str]:
    if not others:
        return []
    lines = ["", "claims side by side (only the first one promotes):"]
    for one in (record, *others):
        name = one.variant.name if isinstance(one, Certificate) else None
        what = f"{name}, achieved sparsity {candidates.sparsity(name)}" if name else f"nothing certified; {one.reason}"
        limits = " and ".join(f"{claim.kind} <= {claim.tolerance}" for claim in one.claims)
        lines.append(f"  {limits} at delta {one.claims[0].delta} ({statement(one.claims)}): {what}")
    return lines
