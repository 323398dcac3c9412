"""Fetched shards on this machine's disk: checked, shared between processes, and kept below a limit."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from sentei.errors import DataError
from sentei.sources.checked import PARTIAL
from sentei.sources.shards.format import File
from sentei.sources.shards.sums import sha256_of

LIMIT = "SENTEI_SHARD_CACHE"
DEFAULT_LIMIT = 32 << 30
ABANDONED_S = 24 * 3600


class Disk:
    """Files by their SHA-256; the least recently used make room.

    Fetches that go on at the same moment may exceed the limit by a file each.

    Args:
        folder: Where they are kept.
        limit: Bytes of all files together; ``SENTEI_SHARD_CACHE``, else 32 GiB, if None.
    """

    def __init__(self, folder: Path, limit: int | None = None) -> None:
        self.folder = folder
        self.limit = bytes_of(LIMIT, DEFAULT_LIMIT) if limit is None else limit
        self._lock = threading.Lock()

    def path(self, file: File, fetch: Callable[[Path], None]) -> Path:
        """Where the file stands, fetched if it does not yet.

        Another process may need the room, so the file may be gone again when it is opened: then ask again.

        Args:
            file: What the index says of it.
            fetch: Puts it at the path that it is given.

        Raises:
            DataError: What was fetched is another file, or the limit is smaller than the file.
        """
        final = self.folder / file.sha256
        if final.exists():
            os.utime(final)  # it was used now
            return final
        self._make_room(file)
        partial = final.with_name(f"{final.name}{PARTIAL}{os.getpid()}-{threading.get_ident()}")
        try:
            fetch(partial)
            check_file(file, partial)
            os.replace(partial, final)
        finally:
            partial.unlink(missing_ok=True)
        return final

    def found(self, file: File) -> Path | None:
        """Where the file stands; None if it would have to be fetched."""
        final = self.folder / file.sha256
        return final if final.exists() else None

    def drop(self, file: File) -> None:
        """Forget a file, so that it is fetched anew."""
        (self.folder / file.sha256).unlink(missing_ok=True)

    def _make_room(self, file: File) -> None:
        if file.bytes > self.limit:
            raise DataError(
                f"{file.name}: expected a shard of at most {self.limit} bytes, which is what {LIMIT} allows on this "
                f"disk, received {file.bytes}; allow more, or write smaller shards"
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._lock:
            used = sorted(self._files())
            total = sum(size for _, size, _ in used)
            for _, size, path in used:
                if total + file.bytes <= self.limit:
                    break
                path.unlink(missing_ok=True)
                total -= size

    def _files(self) -> list[tuple[float, int, Path]]:
        """When each was used last, its size, and where it stands."""
        found = []
        for path in self.folder.iterdir():
            try:
                state = path.stat()
            except FileNotFoundError:
                continue  # another process made room
            if PARTIAL in path.name:
                if time.time() - state.st_mtime > ABANDONED_S:
                    path.unlink(missing_ok=True)
                continue
            found.append((state.st_mtime, state.st_size, path))
        return found


def bytes_of(variable: str, default: int) -> int:
    """A number of bytes from the environment.

    Raises:
        DataError: It is no whole number above 0.
    """
    text = os.environ.get(variable, "")
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or not int(text):
        raise DataError(f"{variable}: expected a whole number of bytes above 0, received {text!r}")
    return int(text)


def check_file(file: File, path: Path) -> None:
    """Nothing, if the file is what the index says.

    Raises:
        DataError: It is another one.
    """
    size, received = path.stat().st_size, sha256_of(path)
    if (size, received) != (file.bytes, file.sha256):
        raise DataError(
            f"{file.name}: expected {file.bytes} bytes with SHA-256 {file.sha256[:12]}, received {size} with "
            f"{received[:12]}: it is damaged or of another data set; write the data set again with sentei data shard"
        )
