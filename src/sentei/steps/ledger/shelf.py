"""Where a ledger keeps its records: written once under a name, whole or not at all, and never changed."""

import os
import re
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from sentei.errors import LedgerError
from sentei.steps.layout import PARTIAL

_NUMBER = re.compile("[0-9]+")


class Shelf(Protocol):
    """A place for named records.

    Keys are names separated by slashes. Everything that the ledger promises rests on ``put_new``: of all processes
    that ever ask for one key, one gets it.

    Attributes:
        place: What people call it: a path, or a URI.
    """

    place: str

    def put_new(self, key: str, data: bytes) -> bool:
        """Keep ``data`` under ``key``; False if something is kept there already, which stays as it is.

        When it returns True, the record survives a crash of this machine, and every later reader sees all of it.
        """

    def get(self, key: str) -> bytes | None:
        """What is kept under ``key``; None if nothing is."""

    def keys(self, prefix: str) -> list[str]:
        """All keys that begin with ``prefix``, which is empty or ends with a slash, in order."""


class FolderShelf:
    """A shelf on a local disk, or on a network file system with hard links.

    Attributes:
        place: Path of the folder; it is made when the first record is kept.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)
        self.place = str(folder)

    def put_new(self, key: str, data: bytes) -> bool:
        """Keep ``data`` under ``key``; False if something is kept there already.

        Raises:
            LedgerError: The folder cannot be written to, or its file system has no hard links.
        """
        path = self._folder / key
        try:
            _make_folder(path.parent)
            return _link_new(path, data)
        except OSError as error:
            raise LedgerError(
                f"{path}: expected a folder to write to, on a file system with hard links; received {error.strerror}; "
                "free it for this user, or keep the ledger on another disk or on S3"
            ) from error

    def get(self, key: str) -> bytes | None:
        """What is kept under ``key``; None if nothing is."""
        path = self._folder / key
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise LedgerError(f"{path}: expected a record to read, received {error.strerror}; look at it") from error

    def keys(self, prefix: str) -> list[str]:
        """All keys that begin with ``prefix``, in order; what killed processes left half-written is none."""
        names = [path for path in (self._folder / prefix).rglob("*") if path.is_file() and PARTIAL not in path.name]
        return sorted(path.relative_to(self._folder).as_posix() for path in names)


def numbered(shelf: Shelf, prefix: str, key_of: Callable[[int], str], n_known: int) -> Iterator[bytes]:
    """The records of a sequence that is numbered 1, 2, 3 ..., in order, after the first ``n_known``.

    Args:
        shelf: Where they are kept.
        prefix: What their keys begin with; the number stands behind it.
        key_of: The key of a number.
        n_known: How many to pass over.

    Raises:
        LedgerError: A record is missing before the last one.
    """
    numbers = [_NUMBER.match(key.removeprefix(prefix)) for key in shelf.keys(prefix)]
    last = max((int(number[0]) for number in numbers if number), default=0)
    number = n_known + 1
    while (data := shelf.get(key_of(number))) is not None:  # also beyond what the list held: it may be a moment old
        yield data
        number += 1
    if number <= last:
        raise LedgerError(
            f"{shelf.place}: {key_of(number)}: expected a record, received nothing, though one with number {last} is "
            "there: it was removed; restore it from a copy, or keep a new ledger for fresh rows"
        )


def unseen(shelf: Shelf, key: str) -> LedgerError:
    """The error for a shelf that refuses a new key because it is taken, and then shows nothing under it."""
    return LedgerError(
        f"{shelf.place}: {key}: the name is taken, but nothing is to be read there; keep the ledger on a file system "
        "or server that shows what it has accepted"
    )


def _link_new(path: Path, data: bytes) -> bool:
    # A link appears at once and never replaces anything; a rename would replace, an exclusive open would show
    # half a record.
    partial = path.with_name(f"{path.name}{PARTIAL}{os.getpid()}-{uuid.uuid4().hex}")
    try:
        with partial.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.link(partial, path)
        return True
    except FileExistsError:
        return False
    finally:
        partial.unlink(missing_ok=True)
        _flush(path.parent)  # also when another process was faster: nobody builds on a name that a crash may undo


def _make_folder(folder: Path) -> None:
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for one in missing:
        _flush(one.parent)


def _flush(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
