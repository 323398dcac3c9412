"""What an attempt on the calibration rows may spend: the ledger is asked before, and told before anybody else."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sentei.certificate.canonical import digest
from sentei.certificate.decide import Rule, order_variants
from sentei.certificate.evidence import Evidence
from sentei.certificate.record import Certificate, Entry, Refusal
from sentei.errors import RecipeError
from sentei.risk import Claim
from sentei.steps.candidates import Candidates
from sentei.steps.ledger import Attempt, Ledger, Quote, Spent
from sentei.steps.provable import fewest_rows, flawless_passes

if TYPE_CHECKING:
    from sentei.steps.hearing import Hearing

OpenLedger = Callable[[str], Ledger]
NO_LEDGER = "none"


@dataclass(frozen=True)
class Account:
    """The ledger that counts attempts on these rows; or none.

    Attributes:
        place: Where it stands, as the recipe says.
        ledger: None if the recipe wants none.
    """

    place: str
    ledger: Ledger | None

    @classmethod
    def open(cls, place: str, open_ledger: OpenLedger | None) -> "Account":
        """The account that the plan names.

        Args:
            place: A folder, ``s3://bucket/prefix`` or ``none``.
            open_ledger: Turns a place into a ledger.

        Raises:
            RecipeError: The plan wants a ledger, and nobody here can open one.
            LedgerError: The ledger cannot be trusted.
        """
        if place == NO_LEDGER:
            return cls(place, None)
        if open_ledger is None:
            raise RecipeError(f"ledger.at: {place} cannot be opened here; set it to none, or run the pipeline")
        return cls(place, open_ledger(place))

    def hear(
        self, hearing: "Hearing", claims: Sequence[Claim], candidates: Candidates
    ) -> tuple[Certificate | Refusal, Evidence]:
        """The record of these claims at the level that the ledger allows, and its evidence.

        Args:
            hearing: Decides, once the attempt is reserved.
            claims: At the level that the recipe asked for.
            candidates: The family.

        Raises:
            LedgerError: This attempt has answered otherwise before.
        """
        if self.ledger is None:
            return hearing.decide(claims, None)
        order = order_variants(claims, hearing.rule, hearing.selection)
        attempted = attempt_digest(hearing.rule, claims, candidates, order)
        reserved = self.ledger.reserve(
            hearing.row_digests,
            hearing.rows_digest,
            attempted,
            claims[0].delta,
            hearing.rule.procedure.n_passes(max(1, len(order))),
            hearing.started_at,
            provable=lambda price: provable_at(claims, price, len(hearing.row_digests)),
            rows_needed=lambda price: fewest_fresh_rows(claims, price),
        )
        if isinstance(reserved, Spent):
            return hearing.refuse(claims, spent_entry(self.place, reserved.quote, attempted), reserved.reason)
        entry = reserved_entry(f"{self.place}/{reserved.place}", reserved)
        record, evidence = hearing.decide([claim.at(reserved.price) for claim in claims], entry, reserved.reserved_at)
        _answer(self.ledger, reserved, record)
        return record, evidence


def _answer(ledger: Ledger, attempt: Attempt, record: Certificate | Refusal) -> None:
    """Tell the ledger what came out, before anybody else is told."""
    chosen = record.variant.name if isinstance(record, Certificate) else None
    passed = [test.name for test in record.procedure.tests if test.passed]
    told = digest({"verdict": record.verdict, "certified": passed, "attempt": attempt.attempt_digest})
    ledger.answer(attempt, record.verdict, chosen, told)


def attempt_digest(rule: Rule, claims: Sequence[Claim], candidates: Candidates, order: Sequence[str]) -> str:
    """What makes two attempts the same: the same networks, claims, order and procedure.

    A network that was trained again and came out otherwise is another attempt.

    Args:
        rule: How variants are ordered, tested and chosen.
        claims: At the level that the recipe asked for.
        candidates: The family.
        order: The variants in the order of testing.

    Returns:
        SHA-256 as 64 hexadecimal digits.
    """
    attempted: Mapping[str, Any] = {
        "claims": [{**_plain(claim), "settings": dict(claim.settings)} for claim in claims],
        "dense": candidates.dense.digest,
        "variants": {name: candidates.variants[name].digest for name in candidates.sound()},
        "order": list(order),
        "rule": {"cost": rule.cost, "order": rule.order},
        "procedure": {"name": rule.procedure.name, "starts": rule.procedure.n_starts},
    }
    return digest(attempted)


def _plain(claim: Claim) -> dict[str, str]:
    return {"kind": claim.kind, "tolerance": claim.tolerance, "delta": claim.delta, "gamma": claim.gamma}


def reserved_entry(place: str, attempt: Attempt) -> Entry:
    """What a record says of an attempt that was reserved; ``place`` names the ledger and the attempt in it."""
    return Entry(
        "reserved",
        place,
        attempt.attempt_digest,
        attempt.delta,
        attempt.price,
        attempt.number,
        attempt.chains,
        attempt.ranks,
        attempt.costly,
    )


def spent_entry(place: str, quote: Quote, attempted: str) -> Entry:
    """What a record says of an attempt that the ledger refused."""
    return Entry("spent", place, attempted, quote.delta, quote.price or "0", quote.number, quote.chains, (), ())


def provable_at(claims: Sequence[Claim], price: str, n_rows: int) -> bool:
    """Whether a variant without a flaw would pass on so many rows at this price."""
    # At epsilon 0 only a variant that helps more than it harms passes, and how much it may help nobody knows.
    return all(claim.value == 0 or flawless_passes(claim.at(price), n_rows) for claim in claims)


def fewest_fresh_rows(claims: Sequence[Claim], price: str) -> int | None:
    """The fewest rows on which it would; None if no number is known."""
    needed = [fewest_rows(claim.at(price)) for claim in claims]
    return None if None in needed else max(row for row in needed if row is not None)
