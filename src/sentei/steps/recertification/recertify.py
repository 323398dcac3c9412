"""champion, fresh rows -> recertified, undecided, refuted or not tested; with a record and its evidence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sentei.certificate.canonical import digest, sha256_hex
from sentei.certificate.record import Certificate, Entry
from sentei.certificate.sentence import sentence, statement, whole_delta
from sentei.errors import ArtifactError
from sentei.sources import load
from sentei.steps import layout
from sentei.steps.account import (
    Account,
    OpenLedger,
    fewest_fresh_rows,
    provable_at,
    reserved_entry,
)
from sentei.steps.evidence import write_evidence
from sentei.steps.examples import OpenUri
from sentei.steps.frozen import from_text
from sentei.steps.ledger import Attempt, Spent
from sentei.steps.progress import stage
from sentei.steps.recertification.fresh import choose
from sentei.steps.recertification.subject import Subject
from sentei.steps.recertification.trial import PROOFS, Outcome, Trial, Tried

ANSWERS: Mapping[Outcome, Any] = {"recertified": "certified", "refuted": "refuted", "undecided": "refused"}
RECORD = {"certified": layout.CERTIFICATE, "refused": layout.REFUSAL}


@dataclass(frozen=True)
class Ended:
    """How the test ended.

    Attributes:
        outcome: ``recertified``, ``undecided``, ``refuted``, or ``not tested`` when there was nothing to test or no row
            to test it on.
        told: In one sentence, without a number that a ledger does not pay for.
        attempt: The ledger's number of this attempt on these rows; None without one.
        tried: The records; None when nothing was tested.
    """

    outcome: Outcome
    told: str
    attempt: int | None = None
    tried: Tried | None = None


def demotes(outcome: Outcome, rule: str) -> bool:
    """Whether an outcome demotes the champion.

    Args:
        outcome: What came out.
        rule: ``refuted``, or ``unless-certified`` to demote whatever was tested and not proven.

    Example:
        >>> demotes("undecided", "refuted"), demotes("undecided", "unless-certified")
        (False, True)
        >>> demotes("refuted", "refuted"), demotes("not tested", "unless-certified")
        (True, False)
    """
    return outcome == "refuted" or (outcome == "undecided" and rule == "unless-certified")


def recertify(
    plan: str,
    champion: str | Path,
    verdict: str | Path,
    started_at: str,
    open_uri: OpenUri | None = None,
    open_ledger: OpenLedger | None = None,
) -> Ended:
    """Test the champion's claims on rows that it has not met, and write what came out.

    Args:
        plan: What was settled when the run began: ``source``, ``rows``, ``reuse``, ``ledger`` and ``n_sets``.
        champion: Folder of the champion's bundle; of status ``failed`` when nothing is served.
        verdict: Where the outcome goes, with record and evidence if anything was tested.
        started_at: When the run began (UTC, ISO 8601); the same for every retry, so that the record is, too.
        open_uri: Turns ``s3://`` and the like into a local path.
        open_ledger: Turns the ledger's place into a ledger.

    Raises:
        ArtifactError: A file of the champion was altered.
        CertificateError: The champion is not what its certificate says.
        DataError: The rows cannot be read, or are not such as the champion takes.
        LedgerError: The ledger cannot be trusted, or this attempt has answered otherwise before.

    Guarantee:
        The attempt is reserved before a row is shown to a network, and answered before anything is shown. On one chain
        of rows, every wrong answer of all attempts together (a certificate for a false claim, a refutation of a true
        one) has probability delta at most: see docs/adr/0017-recertification.md.
    """
    asked = from_text(plan)
    with stage("recertify", asked["model"]):
        served = layout.read_manifest(champion)
        if served.failed:
            ended, digests = Ended("not tested", served.reason), {"champion": served.digest}
        else:
            subject = Subject.read(Path(champion))
            account = Account.open(asked["ledger"], open_ledger)
            ended = _tested(asked, subject, account, started_at, open_uri)
            digests = {"champion": subject.bundle.digest}
        _write(verdict, digests, asked, ended)
    return ended


def _tested(
    asked: Mapping[str, Any], subject: Subject, account: Account, started_at: str, open_uri: OpenUri | None
) -> Ended:
    chosen = choose(load(asked["source"], open_uri=open_uri), subject, account.ledger, asked)
    if chosen.rows is None:
        return Ended("not tested", chosen.told)
    trial = Trial(subject, chosen.rows, started_at)
    if account.ledger is None:
        tried = trial.hold(subject.claims, None)
        return Ended(tried.outcome, f"{_told(tried, None)}; {chosen.told}", None, tried)
    reserved = _reserve(account, trial, subject)
    if isinstance(reserved, Spent):
        return Ended("not tested", reserved.reason, reserved.quote.number)
    entry = reserved_entry(f"{account.place}/{reserved.place}", reserved)
    tried = trial.hold([claim.at(reserved.price) for claim in subject.claims], entry, reserved.reserved_at)
    _answer(account, reserved, tried, subject.name)
    return Ended(tried.outcome, f"{_told(tried, entry)}; {chosen.told}", reserved.number, tried)


def _reserve(account: Account, trial: Trial, subject: Subject) -> Attempt | Spent:
    if account.ledger is None:
        raise ArtifactError(f"a ledger was expected at {account.place}")
    return account.ledger.reserve(
        trial.row_digests,
        trial.rows_digest,
        trial.attempt_digest,
        whole_delta(subject.record),
        PROOFS,
        trial.started_at,
        provable=lambda price: provable_at(subject.claims, price, len(trial.row_digests)),
        rows_needed=lambda price: fewest_fresh_rows(subject.claims, price),
    )


def _answer(account: Account, attempt: Attempt, tried: Tried, name: str) -> None:
    """Tell the ledger what came out, before anybody else is told."""
    answer = ANSWERS[tried.outcome]
    told = digest({"verdict": answer, "attempt": attempt.attempt_digest})
    if account.ledger is not None:
        account.ledger.answer(attempt, answer, None if answer == "refused" else name, told)


def _told(tried: Tried, entry: Entry | None) -> str:
    """The outcome; of one that proves nothing, no number is said, since the ledger pays for verdicts alone."""
    if isinstance(tried.record, Certificate):
        return sentence(tried.record)
    claims, delta = tried.record.claims, entry.delta if entry else tried.record.claims[0].delta
    said = statement(claims, delta).partition(" confidence ")
    if tried.outcome == "refuted":
        return f"{said[0]}{said[1]}it is false that {said[2]}"
    return f"undecided: the rows prove neither that {said[2]}, nor the opposite"


def _write(verdict: str | Path, digests: Mapping[str, str], asked: Mapping[str, Any], ended: Ended) -> None:
    tried = ended.tried
    with layout.writing(verdict, "verdict", digests) as draft:
        lines = [f"{asked['model']} version {asked['version'] or '-'}: {ended.outcome}", ended.told]
        draft.facts.update(verdict=ended.outcome, lines=lines, told=ended.told, attempt=ended.attempt or 0)
        found: dict[str, Any] = {"outcome": ended.outcome, "attempt": ended.attempt}
        if tried is not None:
            draft.write(RECORD[tried.record.verdict], tried.record.to_json())
            draft.facts.update(record_sha256=sha256_hex(tried.record.to_json()), issued_at=tried.record.issued_at)
            write_evidence(draft, "evidence", tried.evidence)
            found["against"] = _against(tried)
        draft.write_json(layout.RECERTIFICATION, found)


def _against(tried: Tried) -> Sequence[Mapping[str, str]]:
    pairs = zip(tried.record.claims, tried.against.p_values, strict=True)
    return [{"kind": claim.kind, "level": claim.delta, "p_value": p_value} for claim, p_value in pairs]
