"""What ``sentei ledger show`` prints of a ledger that was really kept."""

import json

import pytest
from click.testing import CliRunner

from sentei.cli import main
from sentei.cli.ledger import ledger as command
from sentei.risk.ledger import attempt_price
from sentei.steps.ledger import FolderShelf, Ledger
from tests.unit.ledger.test_ledger import certify, files, refuse, reserve, rows

NOON = "2026-01-31T12:00:00Z"


@pytest.fixture
def place(tmp_path):
    """Two chains: one with a refusal, a certificate and a run that has not answered; one with a refusal."""
    kept = Ledger(FolderShelf(tmp_path / "ledger"))
    refuse(kept, reserve(kept, "a", rows(*range(12_000))))
    certify(kept, reserve(kept, "b", rows(7, "new")), "l1-0.60")
    reserve(kept, "c", rows(7, "new"), n_passes=1)
    refuse(kept, reserve(kept, "d", rows("fresh"), delta="0.1"))
    return tmp_path / "ledger"


def test_every_chain_is_shown_with_its_next_price(place):
    before = files(place)
    shown = CliRunner().invoke(command, ["show", str(place)])
    first, second = (chain.name[:12] for chain in Ledger(FolderShelf(place)).chains())
    assert shown.output.splitlines() == [
        f"ledger {place}",
        f"chain 1 ({first}): 2 sets (12 000 rows, 2 rows)",
        f"  attempt 1, {NOON}: 14 ways to pass at 0.0303: refused",
        f"  attempt 2, {NOON}: 14 ways to pass at 0.00506: certified l1-0.60",
        f"  attempt 3, {NOON}: 1 way to pass at 0.0000321: no answer yet",
        "  next: attempt 4 on these rows tests at 0.00000281 of delta 0.05, if it is like the last one",
        "        the one after it would test at 4.35E-7 after a refusal, and at 1.63E-7 after a certificate, "
        "which costs all that follow a factor of 3",
        f"chain 2 ({second}): 1 set (1 row)",
        f"  attempt 1, {NOON}: 14 ways to pass at 0.0607: refused",
        "  next: attempt 2 on these rows tests at 0.0101 of delta 0.1, if it is like the last one",
        "        the one after it would test at 0.00385 after a refusal, and at 0.0000643 after a certificate, "
        "which costs all that follow a factor of 60",
    ]
    assert files(place) == before


def test_all_of_it_is_there_as_json(place):
    shown = json.loads(CliRunner().invoke(command, ["show", str(place), "--json"]).output)
    first, second = shown["chains"]
    assert shown["place"] == str(place)
    assert [one["state"] for one in first["attempts"]] == ["refused", "certified", "silent"]
    assert [one["chosen"] for one in first["attempts"]] == [None, "l1-0.60", None]
    assert first["next"]["price"] == attempt_price("0.05", 3, (15, 2))
    assert [one["n_rows"] for one in first["sets"]] == [12_000, 2]
    assert second["next"]["after_pass"] == attempt_price("0.1", 2, (15,))
    assert second["rank"] == 2


def test_a_set_without_an_attempt_is_shown_as_such(tmp_path):
    """A process was killed between naming its rows and reserving."""
    kept = Ledger(FolderShelf(tmp_path))
    place = tmp_path / reserve(kept, "a", rows(1, 2)).place
    (place / "reserved.json").unlink()
    shown = CliRunner().invoke(command, ["show", str(tmp_path)]).output
    assert shown.splitlines()[1].endswith("1 set (2 rows), no attempt yet")
    assert (
        json.loads(CliRunner().invoke(command, ["show", str(tmp_path), "--json"]).output)["chains"][0]["next"] is None
    )


def test_what_is_no_ledger_ends_with_8(tmp_path, monkeypatch, capsys):
    for arguments, told in ((["show", str(tmp_path)], "expected a ledger, found none"),):
        monkeypatch.setattr("sys.argv", ["sentei", "ledger", *arguments])
        with pytest.raises(SystemExit) as leaving:
            main()
        printed = capsys.readouterr()
        assert (leaving.value.code, printed.out) == (8, "")
        assert printed.err.startswith(f"LedgerError: {tmp_path}: {told}")
    assert list(tmp_path.iterdir()) == []
