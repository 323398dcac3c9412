"""Attempts, the answers that they gave, and what the one said that the other had found."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from sentei.errors import LedgerError
from sentei.risk.ledger import attempt_price
from sentei.steps.ledger.paper import ADVICE, read, written

Verdict = Literal["certified", "refused", "refuted"]
RESERVED, ANSWERED = "sentei.ledger.attempt/1", "sentei.ledger.answer/1"
_DIGEST = re.compile(r"[0-9a-f]{64}")
_PLACE = re.compile(r"attempts/([0-9]{6,})")
_ANSWER = {"verdict": str, "outcome_digest": str}


@dataclass(frozen=True)
class Attempt:
    """The right to test one family on one calibration set, at a price.

    Attributes:
        place: Where the ledger keeps it, such as ``attempts/000003``.
        number: Its number among the attempts on all sets of its chains; 1 is the first.
        chains: Names of the chains that its rows belong to: each is the digest of the rows that founded it.
        ranks: Which chains of this ledger these are, in the order of their founding; in the order of ``chains``.
        delta: Chance of a false claim that the chain has as a whole; a decimal text.
        price: The level at which this attempt may test; a decimal text.
        costly: How many branches of the tree of answers each costly predecessor stands for.
        passed: Places of the predecessors that this reservation found to have proven something: certified, or refuted.
        silent: Places of the predecessors that this reservation found without an answer; all others were refused.
        attempt_digest: Digest of what is attempted: the frozen family and its claims.
        calibration_digest: Digest of the calibration split: rows and labels, in order.
        rows: Digest of the set of rows.
        n_rows: How many different rows that set has.
        n_passes: How many answers that prove something the attempt could give: in a fixed sequence one per variant; two
            where one network is tested both ways.
        reserved_at: When, as the reserving process said; nothing depends on it.
    """

    place: str
    number: int
    chains: tuple[str, ...]
    ranks: tuple[int, ...]
    delta: str
    price: str
    costly: tuple[int, ...]
    passed: tuple[str, ...]
    silent: tuple[str, ...]
    attempt_digest: str
    calibration_digest: str
    rows: str
    n_rows: int
    n_passes: int
    reserved_at: str

    def to_dict(self) -> dict[str, Any]:
        """The attempt as JSON values; the same ones for the same attempt."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> "Attempt":
        """The attempt of these JSON values.

        Raises:
            LedgerError: They are not those of an attempt, or its price is not what its history makes it.
        """
        if set(fields) != set(cls.__annotations__):
            raise LedgerError(
                f"expected the fields of a ledger attempt, received {', '.join(sorted(fields))}; {ADVICE}"
            )
        values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in fields.items()}
        attempt = cls(**values)
        _check(attempt)
        return attempt

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes a second reservation the same attempt: the rows, their labels, and what is attempted."""
        return self.rows, self.calibration_digest, self.attempt_digest


@dataclass(frozen=True)
class Answer:
    """What an attempt has answered.

    Attributes:
        verdict: ``certified``, ``refused``, or ``refuted`` if the opposite of the claim was proven.
        chosen: Name of the certified or refuted variant; None when refused.
        outcome_digest: SHA-256 of all that is told: verdict, certified variants, attempt.
    """

    verdict: Verdict
    chosen: str | None
    outcome_digest: str


def attempt_key(sequence: int) -> str:
    """Where the attempt with this number in the ledger as a whole is kept.

    Example:
        >>> attempt_key(3)
        'attempts/000003'
    """
    return f"attempts/{sequence:06d}"


def write_attempt(attempt: Attempt) -> bytes:
    """The record of a reservation.

    Raises:
        LedgerError: A digest is none, or the price is not what the history makes it.
    """
    _check(attempt)
    return written(RESERVED, attempt.to_dict())


def read_attempt(data: bytes, where: str) -> Attempt:
    """The attempt of a record.

    Raises:
        LedgerError: The record was altered.
    """
    texts = ("place", "delta", "price", "attempt_digest", "calibration_digest", "rows", "reserved_at")
    lists = ("chains", "ranks", "costly", "passed", "silent")
    kinds: dict[str, type] = {**dict.fromkeys(texts, str), **dict.fromkeys(lists, list)}
    kinds |= {"number": int, "n_rows": int, "n_passes": int}
    try:
        return Attempt.from_dict(read(data, where, RESERVED, kinds))
    except (ValueError, TypeError) as error:
        raise LedgerError(f"{where}: the record was altered ({error}); {ADVICE}") from error


def write_answer(answer: Answer) -> bytes:
    """The record of an answer.

    Raises:
        LedgerError: It names a variant without certifying one, or the reverse.
    """
    _check_answer(answer, "the answer to keep")
    return written(ANSWERED, asdict(answer))


def read_answer(data: bytes, where: str) -> Answer:
    """The answer of a record.

    Raises:
        LedgerError: The record was altered.
    """
    kinds = {**_ANSWER, "chosen": str if b'"chosen":"' in data else type(None)}
    answer = Answer(**read(data, where, ANSWERED, kinds))
    _check_answer(answer, where)
    return answer


def _check(attempt: Attempt) -> None:
    where = attempt.place
    for digest in (attempt.attempt_digest, attempt.calibration_digest, attempt.rows, *attempt.chains):
        if not _DIGEST.fullmatch(digest):
            raise LedgerError(f"{where}: expected a SHA-256, received {digest!r}; {ADVICE}")
    price = attempt_price(attempt.delta, attempt.number - 1, attempt.costly, attempt.ranks)
    if attempt.price != price:
        raise LedgerError(f"{where}: expected the price {price}, received {attempt.price}: it was altered; {ADVICE}")
    if not _PLACE.fullmatch(where) or len(attempt.chains) != len(attempt.ranks):
        raise LedgerError(f"{where}: place or chains are not those of an attempt: the record was altered; {ADVICE}")


def _check_answer(answer: Answer, where: str) -> None:
    whole = answer.verdict in get_args(Verdict) and _DIGEST.fullmatch(answer.outcome_digest)
    if not whole or (answer.verdict != "refused") != (answer.chosen is not None):
        raise LedgerError(
            f"{where}: expected 'certified' or 'refuted' with the variant's name or 'refused' without, and the "
            f"record's SHA-256; received {answer.verdict!r}, {answer.chosen!r} and {answer.outcome_digest!r}"
        )
