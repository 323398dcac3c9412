"""Records on a disk: written once, whole or not at all."""

import os
from pathlib import Path

import pytest

from sentei.errors import LedgerError
from sentei.steps.ledger import FolderShelf


@pytest.fixture
def shelf(tmp_path):
    return FolderShelf(tmp_path / "ledger")


def test_what_is_kept_comes_back_and_is_never_replaced(shelf):
    assert shelf.put_new("a/b/one.json", b"1") is True
    assert shelf.put_new("a/b/one.json", b"2") is False
    assert shelf.get("a/b/one.json") == b"1"


def test_nothing_is_found_where_nothing_is_kept(shelf, tmp_path):
    assert shelf.get("a/one.json") is None
    assert shelf.keys("") == shelf.keys("a/") == []
    assert list(tmp_path.iterdir()) == []


def test_keys_come_in_order_and_under_their_prefix_only(shelf):
    for key in ("b/2", "b/10", "a/1", "b/c/3", "bc/4"):
        shelf.put_new(key, b"")
    assert shelf.keys("b/") == ["b/10", "b/2", "b/c/3"]
    assert shelf.keys("") == ["a/1", "b/10", "b/2", "b/c/3", "bc/4"]


def test_half_a_record_of_a_killed_process_is_never_read(shelf, tmp_path, monkeypatch):
    """Whatever the process was doing when it was killed: the name is free, and the next process takes it."""

    def killed(*_):
        raise KeyboardInterrupt

    for call in ("fsync", "link"):
        shelf.put_new(f"{call}/0", b"")
        with monkeypatch.context() as broken:
            broken.setattr(os, call, killed)
            broken.setattr("pathlib.Path.unlink", lambda *_, **__: None)
            with pytest.raises(KeyboardInterrupt):
                shelf.put_new(f"{call}/1", b"a record that is long enough to be cut")

    left = [path for path in (tmp_path / "ledger").rglob("*") if path.is_file()]
    assert len(left) == 2 + 2
    for call in ("fsync", "link"):
        assert shelf.get(f"{call}/1") is None
        assert shelf.keys(f"{call}/") == [f"{call}/0"]
        assert shelf.put_new(f"{call}/1", b"whole")
        assert shelf.get(f"{call}/1") == b"whole"


def test_a_record_is_on_the_disk_before_its_name_is(shelf, monkeypatch):
    """First the bytes, then the name, then the folder that holds the name."""
    shelf.put_new("a/0", b"")
    done, fsync, link = [], os.fsync, os.link
    monkeypatch.setattr(
        os, "fsync", lambda handle: (done.append(str(Path(f"/proc/self/fd/{handle}").readlink())), fsync(handle))
    )
    monkeypatch.setattr(os, "link", lambda one, other: (done.append("link"), link(one, other)))

    shelf.put_new("a/1", b"1")

    assert ".partial-" in done[0]
    assert done[1] == "link"
    assert done[2].endswith("/ledger/a")


def test_a_file_system_without_links_is_an_error(shelf, monkeypatch):
    def refused(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    with pytest.raises(LedgerError, match=r"file system with hard links; received Operation not permitted; .*S3"):
        shelf.put_new("a/1", b"1")
    monkeypatch.undo()
    assert shelf.keys("") == []


def test_a_place_that_is_a_file_is_an_error(tmp_path):
    (tmp_path / "ledger").write_text("a file")
    shelf = FolderShelf(tmp_path / "ledger")
    with pytest.raises(LedgerError, match="expected a folder to write to"):
        shelf.put_new("a/1", b"1")
    with pytest.raises(LedgerError, match="expected a record to read"):
        shelf.get("a/1")
