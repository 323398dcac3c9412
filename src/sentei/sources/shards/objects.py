"""Files of a sharded data set, wherever it stands."""

import os
import shutil
from pathlib import Path
from typing import Protocol, runtime_checkable

from sentei.errors import DataError
from sentei.sources.checked import PARTIAL
from sentei.sources.shards.sums import sha256_of


class Objects(Protocol):
    """Files under one folder or prefix."""

    def fetch(self, name: str, path: Path) -> None:
        """Put a copy of one file at a path of this machine."""

    def read(self, name: str, start: int, stop: int) -> bytes:
        """Some bytes of one file: those from ``start`` up to, and without, ``stop``."""

    def local(self, name: str) -> Path | None:
        """Where the file stands on this machine; None if it has to be fetched."""

    def sha256(self, name: str) -> str:
        """SHA-256 of a file that stands there already; empty if there is none, or nobody knows."""

    def put(self, name: str, path: Path) -> None:
        """Move a file of this machine there; it appears whole or not at all."""


@runtime_checkable
class OpensObjects(Protocol):
    """Something that turns addresses into local paths, and can also move single files under an address."""

    def objects(self, uri: str) -> Objects:
        """The files under ``s3://bucket/prefix``."""


class Folder:
    """Files in a folder of this machine."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def fetch(self, name: str, path: Path) -> None:
        """A copy of one file."""
        try:
            shutil.copyfile(self.path / name, path)
        except OSError as error:
            raise self._missing(name, error) from error

    def read(self, name: str, start: int, stop: int) -> bytes:
        """Some bytes of one file."""
        try:
            with (self.path / name).open("rb") as file:
                return os.pread(file.fileno(), stop - start, start)
        except OSError as error:
            raise self._missing(name, error) from error

    def local(self, name: str) -> Path | None:
        """The file itself."""
        return self.path / name

    def sha256(self, name: str) -> str:
        """Of the file that stands there."""
        path = self.path / name
        return sha256_of(path) if path.is_file() else ""

    def put(self, name: str, path: Path) -> None:
        """Copied under a temporary name, flushed and renamed."""
        self.path.mkdir(parents=True, exist_ok=True)
        partial = self.path / f".{name}{PARTIAL}{os.getpid()}"
        try:
            with path.open("rb") as source, partial.open("wb") as file:
                shutil.copyfileobj(source, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, self.path / name)
        finally:
            partial.unlink(missing_ok=True)

    def _missing(self, name: str, error: OSError) -> DataError:
        return DataError(
            f"{self.path}: expected the file {name} of a sharded data set, could not read it ({error.strerror}); "
            "write the data set with sentei data shard"
        )
