"""The two records that end a run: a certificate, or a refusal with its reasons."""

from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from sentei.certificate import format1
from sentei.certificate.canonical import canonical_json, digest, parse_canonical
from sentei.certificate.parts import Candidate, Code, Data, Dense, Entry, Outlook, Procedure, Runtime, Split, Variant
from sentei.certificate.schema import DecimalText, Digest, Instant, read
from sentei.errors import CertificateError
from sentei.risk import Claim
from sentei.risk.decision import Finding, Test

__all__ = [
    "Candidate",
    "Certificate",
    "Code",
    "Data",
    "Dense",
    "Entry",
    "Outlook",
    "Procedure",
    "Refusal",
    "Runtime",
    "Split",
    "Variant",
    "parse",
]

FORMAT: Final = "sentei.certificate/2"

DOES_NOT_SAY = (
    "Nothing about any distribution other than the one that the calibration rows were drawn from.",
    "Nothing about inputs that were chosen by an adversary, except through the one attack that a robust claim names.",
    "Nothing about single predictions, or about subgroups of the rows that no claim names.",
    "Nothing about a runtime other than the one recorded here.",
    "Nothing if the dense model brought weights that had been fitted to these calibration rows: that they had not is "
    "the recipe's word.",
)
WITHOUT_LEDGER = (
    "Nothing about the joint chance of a false claim over several runs that re-used these calibration rows: no ledger "
    "counts those runs."
)
WITH_LEDGER = (
    "Nothing about later families that were chosen by someone who had looked at the losses, counts, p-values or bounds "
    "of this run: the ledger pays for its verdicts; nor about attempts on these rows that this ledger does not hold, "
    "or families that were chosen by results on these rows as part of another split."
)


class Sealed:
    """A record whose text also holds the digest of all the rest, so that no character changes unnoticed."""

    @property
    def body(self) -> dict[str, Any]:
        """Every field as JSON values, without the digest."""
        return asdict(self)  # type: ignore[call-overload,no-any-return]  # every subclass is a dataclass

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON of every field."""
        return digest(self.body)

    def to_json(self) -> bytes:
        """The record's only text."""
        return canonical_json({**self.body, "digest": self.digest})


@dataclass(frozen=True)
class Certificate(Sealed):
    """What was proven of one variant, and everything that it rests on.

    Attributes:
        claims: What was proven, all of it.
        upper_bounds: For each claim, the smallest tolerance that the rows prove of this variant, taken alone: unlike
            the claim it is not adjusted for the choice among several variants; decimal text, rounded up.
        family_digest: SHA-256 of the canonical JSON of all variants' specifications, made or not.
        ledger: None if no ledger counts the attempts on these rows.
        issued_at: UTC, such as ``2026-01-31T12:00:00Z``.
    """

    format: Literal["sentei.certificate/2"]
    verdict: Literal["certified"]
    claims: tuple[Claim, ...]
    upper_bounds: tuple[DecimalText, ...]
    procedure: Procedure
    variant: Variant
    dense: Dense
    family_digest: Digest
    data: Data
    code: Code
    runtime: Runtime
    ledger: Entry | None
    issued_at: Instant
    does_not_say: tuple[str, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the calibration rows said of the certified variant, one finding per claim."""
        return self.test.findings

    @property
    def test(self) -> Test:
        """The certified variant's test.

        Raises:
            CertificateError: No test of it is recorded.
        """
        for test in self.procedure.tests:
            if test.name == self.variant.name:
                return test
        raise CertificateError(f"procedure.tests: no test of the certified variant {self.variant.name!r}")


@dataclass(frozen=True)
class Refusal(Sealed):
    """Why nothing was certified: a result like any other.

    Attributes:
        reason: In plain words, with the numbers.
        candidates: Every variant that was made, in the family's order.
    """

    format: Literal["sentei.certificate/2"]
    verdict: Literal["refused"]
    claims: tuple[Claim, ...]
    reason: str
    procedure: Procedure
    candidates: tuple[Candidate, ...]
    dense: Dense
    family_digest: Digest
    data: Data
    code: Code
    runtime: Runtime
    ledger: Entry | None
    issued_at: Instant


def parse(text: bytes, where: str = "certificate") -> Certificate | Refusal:
    """The record that a text holds; one of an older format is handed on in today's.

    Raises:
        CertificateError: The text is not canonical, was altered (its digest does not fit), has an unknown format, or a
            field is unknown, missing or of the wrong type; the message names the field.
    """
    value = parse_canonical(text, where)
    stated = value.get("format") if isinstance(value, dict) else type(value).__name__
    if stated not in (FORMAT, format1.FORMAT):
        raise CertificateError(f"{where}.format: expected {FORMAT!r}, received {stated!r}; a newer sentei may read it")
    sealed = value.pop("digest", None)
    if sealed != digest(value):
        raise CertificateError(f"{where}.digest: the digest does not fit the text, so the record was altered")
    if stated == format1.FORMAT:
        value = format1.upgraded(value, where)
    kinds: dict[Any, type[Certificate | Refusal]] = {"certified": Certificate, "refused": Refusal}
    verdict = value.get("verdict")
    if not isinstance(verdict, str) or verdict not in kinds:
        raise CertificateError(f"{where}.verdict: expected one of {sorted(kinds)}, received {verdict!r}")
    record: Certificate | Refusal = read(kinds[verdict], value, where)
    if stated == FORMAT and record.to_json() != text:
        raise CertificateError(f"{where}: a field is spelled in a way that sentei never writes; do not trust this text")
    return record
