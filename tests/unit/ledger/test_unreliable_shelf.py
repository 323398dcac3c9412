"""Shelves that answer late, too little or not at all: an attempt is never lost, doubled or made up."""

import pytest

from sentei.errors import LedgerError
from sentei.steps.ledger import FolderShelf, Ledger
from tests.unit.ledger.test_ledger import FIRST, certify, named, reserve, rows


class LosesReplies(FolderShelf):
    """Every record is kept, and the repeated request is told that the name is taken."""

    def put_new(self, key, data):
        super().put_new(key, data)
        return False


class ListsLate(FolderShelf):
    """Lists are empty; what is asked for by name is there."""

    def keys(self, prefix):
        return []


class Swallows(FolderShelf):
    """Every name is taken, and nothing is to be read under it."""

    def put_new(self, key, data):
        return False


@pytest.mark.parametrize("shelf", [LosesReplies, ListsLate])
def test_an_attempt_is_reserved_once_and_answered_once_all_the_same(tmp_path, shelf):
    for number, family in enumerate("abc", start=1):
        attempt = reserve(Ledger(shelf(tmp_path)), family)
        assert attempt.number == number
        certify(Ledger(shelf(tmp_path)), attempt)
    sound = Ledger(FolderShelf(tmp_path))
    assert [entry.state for entry in sound.chains()[0].entries] == ["certified"] * 3
    assert reserve(sound, "b").number == 2


def test_a_shelf_that_swallows_records_is_an_error(tmp_path):
    with pytest.raises(LedgerError, match=r"sets/000001\.json: the name is taken, but nothing is to be read there"):
        reserve(Ledger(Swallows(tmp_path)), "a")
    reserve(Ledger(FolderShelf(tmp_path)), "a")
    with pytest.raises(LedgerError, match=r"attempts/000002: the name is taken, but nothing is to be read there"):
        reserve(Ledger(Swallows(tmp_path)), "b")


def raced(tmp_path, before):
    """A ledger whose first taking of a name under ``before`` comes a moment after somebody else's."""

    class Raced(FolderShelf):
        faster = [lambda: reserve(Ledger(FolderShelf(tmp_path)), "faster", rows(99, 100, 101))]  # noqa: RUF012

        def put_new(self, key, data):
            if key.startswith(before) and self.faster:
                self.faster.pop()()
            return super().put_new(key, data)

    return Ledger(Raced(tmp_path))


@pytest.mark.parametrize("before", ["rows/", "sets/", "attempts/"])
def test_who_loses_a_race_counts_the_winner(tmp_path, before):
    """Also when the winner's rows, of which one is common, were not registered when the loser first looked."""
    slower = reserve(raced(tmp_path, before), "slower")
    assert (slower.number, slower.silent) == (2, ("attempts/000001",))
    assert len(Ledger(FolderShelf(tmp_path)).chains()) == 1
    assert slower.chains == (Ledger(FolderShelf(tmp_path)).chains()[0].name,)


def test_whoever_gave_no_answer_before_the_family_was_chosen_stays_silent(tmp_path):
    """An answer that comes during a reservation cannot have been known to whoever chose the family."""
    first = reserve(Ledger(FolderShelf(tmp_path)), "a")

    class Answered(FolderShelf):
        def put_new(self, key, data):
            certify(Ledger(FolderShelf(tmp_path)), first)
            return super().put_new(key, data)

    assert reserve(Ledger(Answered(tmp_path)), "b").silent == (first.place,)
    third = Ledger(FolderShelf(tmp_path)).reserve(FIRST, named("labels"), named("c"), "0.05", 14, "later")
    assert (third.passed, third.silent) == ((first.place,), ("attempts/000002",))
