"""What somebody wants to attempt, and the attempt that the ledger makes of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from sentei.errors import LedgerError
from sentei.risk.ledger import LAST_ATTEMPT, attempt_price
from sentei.steps.ledger.attempts import Attempt, attempt_key
from sentei.steps.ledger.history import Entry, History, costs
from sentei.steps.ledger.sets import RowSet, Sets

UNKNOWN = "0" * 64


@dataclass(frozen=True)
class Request:
    """What somebody wants to attempt on some rows.

    Attributes:
        attempt_digest: Digest of what is attempted.
        calibration_digest: Digest of the calibration split.
        delta: Chance of a false claim that the chain has as a whole; a decimal text.
        n_passes: How many answers with a pass in it the attempt could give: in a fixed sequence one per variant.
        reserved_at: When; only shown.
    """

    attempt_digest: str
    calibration_digest: str
    delta: str
    n_passes: int
    reserved_at: str

    def behind(self, history: History, sets: Sets, found: RowSet) -> tuple[Attempt, list[Entry]]:
        """The attempt that could be reserved on this set now, and the attempts that it stands behind."""
        before, ranks = history.of(found.chains), sets.ranks(found.chains)
        passed, silent = (
            tuple(entry.attempt.place for entry in before if entry.state == state) for state in ("certified", "silent")
        )
        attempt = Attempt(
            place=attempt_key(history.n_attempts + 1),
            number=len(before) + 1,
            chains=found.chains,
            ranks=ranks,
            delta=self.delta,
            price=next_price(before, self.delta, ranks) or "0",
            costly=costs([(entry.attempt, entry.state) for entry in before]),
            passed=passed,
            silent=silent,
            attempt_digest=self.attempt_digest,
            calibration_digest=self.calibration_digest,
            rows=found.rows,
            n_rows=found.n_rows,
            n_passes=self.n_passes,
            reserved_at=self.reserved_at,
        )
        return attempt, before

    def again(self, same: Attempt) -> Attempt:
        """The attempt that was reserved for this before.

        Raises:
            LedgerError: It was reserved with another delta or number of passing answers.
        """
        if (same.delta, same.n_passes) != (self.delta, self.n_passes):
            raise LedgerError(
                f"{same.place}: expected delta {same.delta} and {same.n_passes} ways to pass, with which the attempt "
                f"{same.attempt_digest[:12]} was reserved, received {self.delta} and {self.n_passes}; an attempt's "
                "digest has to cover both"
            )
        return same


def next_price(before: Sequence[Entry], delta: str, ranks: Sequence[int]) -> str | None:
    """The price of one more attempt after these; None when the chain has had its last one."""
    if len(before) >= LAST_ATTEMPT:
        return None
    return attempt_price(delta, len(before), costs([(entry.attempt, entry.state) for entry in before]), ranks)
