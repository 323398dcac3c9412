"""Files that count only when their checksum is right."""

import hashlib
import io
import os
import tempfile
import zlib
from collections.abc import Mapping
from gzip import GzipFile
from io import BufferedIOBase
from pathlib import Path

from sentei.errors import DataError

# No file of a data set is larger than this once unpacked; a hostile archive stops here.
LARGEST = 1 << 28
PARTIAL = ".partial-"


def check_folder(folder: Path, md5: Mapping[str, str]) -> str | None:
    """Why this folder does not hold all the files; None if it does.

    Args:
        folder: Holds each file plain, or packed with gzip under its name and ``.gz``.
        md5: MD5 of each file before packing, by name.
    """
    if not folder.is_dir():
        return "there is no such folder"
    for name, expected in md5.items():
        plain, packed = folder / name, folder / f"{name}.gz"
        if not plain.is_file() and not packed.is_file():
            return f"holds neither {name} nor {name}.gz"
        try:
            received = _md5(plain.open("rb") if plain.is_file() else GzipFile(packed))
        except (OSError, EOFError, zlib.error) as error:
            return f"{name} is damaged ({error})"
        if received != expected:
            return f"{name} has MD5 {received}, expected {expected}: it is damaged or another file"
    return None


def check_packed(files: Mapping[str, bytes], md5: Mapping[str, str]) -> None:
    """Nothing, if every file is there and unpacks to what its checksum says.

    Raises:
        DataError: A file is missing, damaged or another one.
    """
    for name, expected in md5.items():
        if name not in files:
            raise DataError(f"{name} is missing")
        try:
            received = _md5(GzipFile(fileobj=io.BytesIO(files[name])))
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{name} is damaged ({error})") from error
        if received != expected:
            raise DataError(f"{name} has MD5 {received}, expected {expected}: it is damaged or another file")


def install(files: Mapping[str, bytes], folder: Path) -> Path:
    """The folder, after each packed file was put there whole, in one rename.

    Raises:
        DataError: The folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            _put(folder / f"{name}.gz", data)
            # A damaged plain file would be read before the packed one.
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise DataError(f"cannot write {folder} ({error}); choose another place with --data-dir") from error
    return folder


def _put(path: Path, data: bytes) -> None:
    # A name of its own for every process, so that two that fetch at once cannot write into each other's file.
    handle, partial = tempfile.mkstemp(prefix=f".{path.name}{PARTIAL}", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(partial).chmod(0o644)
        os.replace(partial, path)
    finally:
        Path(partial).unlink(missing_ok=True)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _md5(file: BufferedIOBase) -> str:
    found, n_bytes = hashlib.md5(usedforsecurity=False), 0
    with file:
        while part := file.read(1 << 20):
            n_bytes += len(part)
            if n_bytes > LARGEST:
                raise OSError(f"more than {LARGEST} bytes")
            found.update(part)
    return found.hexdigest()
