"""Several processes at one ledger, and processes that are killed in the middle."""

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from sentei.steps.ledger import FolderShelf, Ledger
from tests.unit.ledger.reserving import ROWS

HERE = Path(__file__).parent


def numbers(place, processes, same):
    arguments = [sys.executable, str(HERE / "reserving.py"), str(place), str(processes), str(same)]
    ran = subprocess.run(arguments, capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (0, "")
    return [tuple(map(int, line.split())) for line in ran.stdout.splitlines()]


def test_twenty_processes_never_share_an_attempt(tmp_path):
    for round_ in range(3):
        found = numbers(tmp_path / str(round_), 20, 1)
        assert sorted(number for _, number in found) == list(range(1, 21))
        assert len({family for family, _ in found}) == 20


def test_processes_of_one_family_share_their_attempt(tmp_path):
    """Twenty processes, five for each of four families: four attempts, and everybody got that of its family."""
    found = numbers(tmp_path, 20, 5)
    assert sorted(Counter(number for _, number in found).values()) == [5] * 4
    assert len(set(found)) == 4
    assert {number for _, number in found} == {1, 2, 3, 4}


def attempted(ledger, family="a"):
    return ledger.reserve(ROWS, "0" * 64, family * 64, "0.05", 3, "2026-01-31T12:00:00Z")


def killed_at(link: int, place: Path, *, linked: bool) -> bool:
    """Whether a process that reserves and answers was killed, just before or after it had taken its n-th name."""
    child = os.fork()
    if not child:
        taken, take = [], os.link

        def deadly(*names):
            taken.append(names)
            if len(taken) <= link or linked:
                take(*names)
            if len(taken) > link:
                os.kill(os.getpid(), signal.SIGKILL)

        os.link = deadly
        try:
            ledger = Ledger(FolderShelf(place))
            ledger.answer(attempted(ledger), "certified", "v1", "1" * 64)
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("linked", [False, True], ids=["before its name", "behind its name"])
@pytest.mark.parametrize("link", range(4), ids=["rows", "set", "reservation", "answer"])
def test_what_a_killed_process_has_reserved_is_taken_up_by_its_own_family_only(tmp_path, link, linked):
    assert killed_at(link, tmp_path, linked=linked)
    ledger = Ledger(FolderShelf(tmp_path))
    reserved = link > 2 or (link == 2 and linked)
    answered = link == 3 and linked

    other = attempted(ledger, "b")
    assert other.number == 1 + reserved
    assert other.silent == (("attempts/000001",) if reserved and not answered else ())
    assert other.passed == (("attempts/000001",) if answered else ())

    again = attempted(ledger)
    assert again.number == (1 if reserved else 2)
    assert (ledger.answered(again) is not None) == answered
    ledger.answer(again, "certified", "v1", "1" * 64)
    assert attempted(ledger) == again
    assert ledger.quote(ROWS, "0.05", 3).number == 3


def test_a_process_that_is_left_alone_takes_four_names(tmp_path):
    """So the test before this one kills at every name that there is."""
    assert not killed_at(4, tmp_path, linked=True)
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 4
