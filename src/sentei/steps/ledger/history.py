"""Everything that was attempted, in the order of reservation, and what each attempt costs the ones behind it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sentei.errors import LedgerError
from sentei.risk.ledger import State, answer_cost
from sentei.steps.ledger.attempts import Answer, Attempt, attempt_key, read_answer, read_attempt
from sentei.steps.ledger.paper import ADVICE
from sentei.steps.ledger.shelf import Shelf, numbered


@dataclass(frozen=True)
class Entry:
    """One attempt, and what is known of it.

    Attributes:
        attempt: What was reserved.
        answer: What it answered; None while it is silent.
    """

    attempt: Attempt
    answer: Answer | None

    @property
    def state(self) -> State:
        """What those who come after it are told: a proof, a refusal, or nothing yet; either proof costs the same."""
        if self.answer is None:
            return "silent"
        return "refused" if self.answer.verdict == "refused" else "certified"


class History:
    """The attempts on all sets of a ledger, as one sequence; an attempt never changes, and answers once."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._attempts: list[Attempt] = []
        self._answers: dict[str, Answer] = {}

    def look(self) -> None:
        """Read what other processes have reserved and answered since.

        Raises:
            LedgerError: A record was removed or altered, or contradicts those before it.
        """
        self.look_for_attempts()
        for attempt in self._attempts:
            self.answer_of(attempt)

    def look_for_attempts(self) -> None:
        """Read what other processes have reserved since; what has been answered since stays silent.

        Raises:
            LedgerError: A record was removed or altered, or contradicts those before it.
        """
        for data in numbered(self._shelf, "attempts/", reserved_key, len(self._attempts)):
            sequence = len(self._attempts) + 1
            attempt = read_attempt(data, f"{self._shelf.place}: {reserved_key(sequence)}")
            self._compare(attempt, attempt_key(sequence))
            self._attempts.append(attempt)

    def answer_of(self, attempt: Attempt) -> Answer | None:
        """What the attempt has answered by now."""
        if attempt.place not in self._answers:
            key = answered_key(attempt)
            if (data := self._shelf.get(key)) is None:
                return None
            self._answers[attempt.place] = read_answer(data, f"{self._shelf.place}: {key}")
        return self._answers[attempt.place]

    @property
    def n_attempts(self) -> int:
        """How many attempts the ledger holds as a whole, on all of its chains."""
        return len(self._attempts)

    def of(self, chains: Iterable[str]) -> list[Entry]:
        """The attempts on all sets that share a chain with these, in order."""
        wanted = set(chains)
        found = [one for one in self._attempts if wanted & set(one.chains)]
        return [Entry(one, self._answers.get(one.place)) for one in found]

    def find(self, key: tuple[str, str, str]) -> Attempt | None:
        """The attempt with this key, if there is one."""
        return next((one for one in self._attempts if one.key == key), None)

    def _compare(self, attempt: Attempt, place: str) -> None:
        """That a reservation says of those before it what the ledger says of them."""
        before = [entry.attempt for entry in self.of(attempt.chains)]
        told = {one.place: _told(attempt, one.place) for one in before}
        known = {*attempt.passed, *attempt.silent} <= told.keys()
        whole = (attempt.place, attempt.number) == (place, len(before) + 1)
        if not (known and whole and attempt.costly == costs([(one, told[one.place]) for one in before])):
            raise LedgerError(
                f"{self._shelf.place}: {place}: expected number {len(before) + 1} with the history of the "
                f"{len(before)} attempts before it, received number {attempt.number} with another; {ADVICE}"
            )
        for one in before:
            answer = self.answer_of(one)
            if told[one.place] != "silent" and Entry(one, answer).state != told[one.place]:
                raise LedgerError(
                    f"{self._shelf.place}: {answered_key(one)}: expected '{told[one.place]}', which {place} has found, "
                    f"received '{answer.verdict if answer else 'silent'}'; {ADVICE}"
                )


def reserved_key(sequence: int) -> str:
    """The key of a reservation.

    Example:
        >>> reserved_key(3)
        'attempts/000003/reserved.json'
    """
    return f"{attempt_key(sequence)}/reserved.json"


def answered_key(attempt: Attempt) -> str:
    """The key of an answer."""
    return f"{attempt.place}/answered.json"


def costs(before: Sequence[tuple[Attempt, State]]) -> tuple[int, ...]:
    """What each costly one of these predecessors stands for when one more attempt is reserved now.

    Args:
        before: The predecessors in order, each with its state as the new reservation finds it.
    """
    waits = Counter(place for attempt, _ in before for place in attempt.silent)
    waits.update(attempt.place for attempt, state in before if state == "silent")
    found = [answer_cost(state, one.n_passes, waits[one.place]) for one, state in before]
    return tuple(cost for cost in found if cost is not None)


def _told(attempt: Attempt, place: str) -> State:
    if place in attempt.silent:
        return "silent"
    return "certified" if place in attempt.passed else "refused"
