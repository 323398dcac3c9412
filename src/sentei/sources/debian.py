"""Unpacks a Debian package without being root and without installing it."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from sentei.errors import DataError
from sentei.sources import fashion_mnist

COMMAND_S = 120
# A closed network shall fail soon, not after apt's own patience.
IMPATIENT = ("-o", "Acquire::Retries=0", "-o", "Acquire::http::Timeout=10", "-o", "Acquire::https::Timeout=10")


def from_package() -> dict[str, bytes]:
    """Fashion-MNIST's packed files from Debian's package.

    Raises:
        DataError: This is no Debian-like system, or the package cannot be had; says why.
    """
    for program in ("apt-get", "dpkg-deb"):
        if shutil.which(program) is None:
            raise DataError(f"there is no {program} on this machine")
    with tempfile.TemporaryDirectory(prefix="sentei-") as name:
        folder = Path(name)
        package = _download(folder, fashion_mnist.DEBIAN_PACKAGE)
        _run(["dpkg-deb", "-x", str(package), str(folder / "unpacked")], folder)
        where = folder / "unpacked" / fashion_mnist.DEBIAN_FOLDER.lstrip("/")
        return {path.stem: path.read_bytes() for path in sorted(where.glob("*.gz"))}


def _download(folder: Path, package: str) -> Path:
    """The package's file, by the machine's own package lists or, where these are missing, by fresh ones of our own."""
    try:
        _run(["apt-get", *IMPATIENT, "download", package], folder)
    except DataError as first:
        own = [*IMPATIENT, *_own_lists(folder)]
        try:
            _run(["apt-get", *own, "update"], folder)
            _run(["apt-get", *own, "download", package], folder)
        except DataError as second:
            raise DataError(f"by the machine's package lists: {first}; by fresh ones: {second}") from second
    found = sorted(folder.glob("*.deb"))
    if not found:
        raise DataError(f"apt-get download {package} left no package behind")
    return found[0]


def _own_lists(folder: Path) -> list[str]:
    for name in ("lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    return ["-o", f"Dir::State::Lists={folder / 'lists'}", "-o", f"Dir::Cache={folder / 'cache'}"]


def _run(command: list[str], folder: Path) -> None:
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=COMMAND_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DataError(f"{' '.join(command[:1] + command[-2:])}: {error}") from error
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:] or ["it gave no reason"]
        raise DataError(f"{' '.join(command[:1] + command[-2:])}: {said[0]}")
