"""The ledger: who attempts what on which calibration rows, at what price, and what came of it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sentei.errors import LedgerError
from sentei.steps.ledger.attempts import Answer, Attempt, Verdict, read_answer, write_answer, write_attempt
from sentei.steps.ledger.history import Entry, History, answered_key, reserved_key
from sentei.steps.ledger.quote import Quote, Spent, quote_of, spent
from sentei.steps.ledger.request import UNKNOWN, Request
from sentei.steps.ledger.sets import RowDigests, RowSet, Sets, pack_rows
from sentei.steps.ledger.shelf import Shelf, unseen


@dataclass(frozen=True)
class Chain:
    """One chain: sets that share rows, directly or through others, and the attempts on them.

    Attributes:
        name: Digest of the rows that founded it.
        rank: Its place in the order of founding, from 1.
        sets: The sets that belong to it.
        entries: The attempts on all sets that touch it, in order.
        next: What one more attempt on its rows would cost that is like the last one; None before the first one.
    """

    name: str
    rank: int
    sets: tuple[RowSet, ...]
    entries: tuple[Entry, ...]
    next: Quote | None


class Ledger:
    """Prices, reserves and remembers every attempt to certify something on calibration rows.

    Guarantee:
        On one chain, all attempts together certify something false with probability delta at most, if each tests at
        its price; if whoever chooses a family knows of earlier attempts what the ledger says of them, and no more; and
        if an attempt's answer is in the ledger before anybody sees it. No clock is trusted: what counts is the order
        in which names were taken on the shelf. See docs/adr/0006-ledger.md for the proof.
    """

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self.place = shelf.place

    def quote(self, row_digests: RowDigests, delta: str, n_passes: int) -> Quote:
        """What one more attempt on these rows would cost. Reads only.

        Args:
            row_digests: Shape (n, 32); content digests of the calibration rows.
            delta: Chance of a false claim that the chain has as a whole; a decimal text.
            n_passes: How many answers with a pass the attempt could give, at least 1: one per variant of a sequence.

        Raises:
            LedgerError: A record of the ledger was removed or altered.
        """
        sets, history = Sets(self._shelf), History(self._shelf)
        history.look()
        request = Request(UNKNOWN, UNKNOWN, delta, n_passes, reserved_at="")
        return quote_of(*request.behind(history, sets, sets.find(pack_rows(row_digests))))

    def reserve(
        self,
        row_digests: RowDigests,
        calibration_digest: str,
        attempt_digest: str,
        delta: str,
        n_passes: int,
        reserved_at: str,
        *,
        provable: Callable[[str], bool] | None = None,
        rows_needed: Callable[[str], int | None] | None = None,
    ) -> Attempt | Spent:
        """The right to test this family on these rows, taken before anything is computed on them.

        Args:
            row_digests: Shape (n, 32); content digests of the calibration rows.
            calibration_digest: Digest of the calibration split: rows and labels, in order.
            attempt_digest: Digest of all that is attempted: the frozen family, its claims and procedure.
            delta: Chance of a false claim that the chain has as a whole; a decimal text.
            n_passes: How many answers with a pass the attempt could give, at least 1: one per variant of a sequence.
            reserved_at: When (UTC, ISO 8601); only shown to people.
            provable: Whether a variant without a flaw would pass at a price; every price is accepted if None.
            rows_needed: The fewest rows on which it would; unknown if None.

        Returns:
            The attempt. A second call for the same rows, labels and digest gives the same attempt, also in another
            process, after a crash, or at the same time. ``Spent`` when its price proves nothing: then nothing is
            reserved, and nothing was written.

        Raises:
            LedgerError: A record of the ledger was removed or altered, or the same attempt was reserved with another
                delta or number of passing answers.
        """
        request = Request(attempt_digest, calibration_digest, delta, n_passes, reserved_at)
        packed, sets, history = pack_rows(row_digests), Sets(self._shelf), History(self._shelf)
        # The family is chosen already, so it can depend on no answer that is given from here on.
        history.look()
        while True:
            found = sets.find(packed)
            attempt, before = request.behind(history, sets, found)
            if (same := history.find(attempt.key)) is not None:
                return request.again(same)
            if (refusal := spent(quote_of(attempt, before), provable, rows_needed)) is not None:
                return refusal
            record = write_attempt(attempt)
            if sets.register(packed) != found:
                continue
            # One name for each attempt of the whole ledger: whoever takes it has seen every attempt before it.
            if self._shelf.put_new(reserved_key(history.n_attempts + 1), record):
                return attempt
            n_known = history.n_attempts
            history.look_for_attempts()
            if history.n_attempts == n_known:
                raise unseen(self._shelf, attempt.place)

    def answer(self, attempt: Attempt, verdict: Verdict, chosen: str | None, outcome_digest: str) -> None:
        """Keep what the attempt came to; after this, and not before, it may be shown to anyone.

        Args:
            attempt: What ``reserve`` gave.
            verdict: ``certified``, ``refused``, or ``refuted`` if the opposite of the claim was proven.
            chosen: Name of the certified or refuted variant; None when refused.
            outcome_digest: SHA-256 of all that is told: verdict, certified variants, attempt.

        Raises:
            LedgerError: The attempt has given another answer before, or is not in this ledger.
        """
        answer = Answer(verdict, chosen, outcome_digest)
        data = write_answer(answer)
        self._check_reserved(attempt)
        if self._shelf.put_new(answered_key(attempt), data):
            return
        kept = self.answered(attempt)
        if kept != answer:
            raise LedgerError(
                f"{self.place}: {answered_key(attempt)}: expected the answer that is kept, {_said(kept)}, received "
                f"{_said(answer)}; an attempt answers once: use the record that is kept, and find out why they differ"
            )

    def answered(self, attempt: Attempt) -> Answer | None:
        """What the attempt has answered; None if it has not.

        Raises:
            LedgerError: The answer was altered.
        """
        key = answered_key(attempt)
        data = self._shelf.get(key)
        return None if data is None else read_answer(data, f"{self.place}: {key}")

    @property
    def n_sets(self) -> int:
        """How many sets of rows the ledger holds by now. Reads only.

        Raises:
            LedgerError: A record of the ledger was removed or altered.
        """
        return len(Sets(self._shelf).known)

    def used(self, row_digests: RowDigests, n_sets: int | None = None) -> NDArray[np.bool_]:
        """Which rows an attempt has been reserved on, shape (n,). Reads only.

        Args:
            row_digests: Shape (n, 32); content digests of the rows.
            n_sets: Look at the first so many sets alone, as at an earlier moment; at all of them if None.

        Raises:
            LedgerError: A record of the ledger was removed or altered.
        """
        return Sets(self._shelf).holding(row_digests, n_sets)

    def chains(self) -> tuple[Chain, ...]:
        """Every chain of the ledger in the order of founding. Reads only.

        Raises:
            LedgerError: A record of the ledger was removed or altered.
        """
        sets, history = Sets(self._shelf), History(self._shelf)
        history.look()
        return tuple(self._chain(name, sets, history) for name in sets.chains())

    def _chain(self, name: str, sets: Sets, history: History) -> Chain:
        members, entries = tuple(sets.of_chain(name)), tuple(history.of([name]))
        quote = None
        if entries:
            last = entries[-1].attempt
            request = Request(UNKNOWN, UNKNOWN, last.delta, last.n_passes, reserved_at="")
            quote = quote_of(*request.behind(history, sets, RowSet(name, members[0].n_rows, (name,))))
        return Chain(name, sets.ranks([name])[0], members, entries, quote)

    def _check_reserved(self, attempt: Attempt) -> None:
        if self._shelf.get(f"{attempt.place}/reserved.json") != write_attempt(attempt):
            raise LedgerError(
                f"{self.place}: {attempt.place}: expected the attempt that is answered, received another or nothing; "
                "answer in the ledger where it was reserved"
            )


def _said(answer: Answer | None) -> str:
    if answer is None:
        return "none"
    return f"'{answer.verdict}' {answer.chosen or ''} with record {answer.outcome_digest[:12]}"
