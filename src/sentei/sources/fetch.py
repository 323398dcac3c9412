"""Brings a data set to this machine, or says every place where it was looked for."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from sentei.errors import DataError
from sentei.sources import debian, fashion_mnist, mirrors
from sentei.sources.checked import check_folder, check_packed, install

DATA_DIR = "SENTEI_DATA_DIR"
SYSTEM_FOLDERS = (Path(fashion_mnist.DEBIAN_FOLDER),)
# Each gives the files packed with gzip, by their name without ".gz", or says in a DataError why it cannot.
Way = Callable[[], Mapping[str, bytes]]
WAYS: Mapping[str, Way] = {
    "torchvision's download": mirrors.from_torchvision,
    "Debian's package, unpacked without root": debian.from_package,
}


def default_data_dir() -> Path:
    """Where data sets are kept: SENTEI_DATA_DIR, else sentei/data in the user's cache."""
    given = os.environ.get(DATA_DIR)
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(given).expanduser() if given else Path(cache).expanduser() / "sentei" / "data"


def locate(name: str, data_dir: Path | None = None) -> Path | None:
    """The folder on this machine that holds the whole data set, with every checksum right; None if there is none.

    Args:
        name: "fashion-mnist".
        data_dir: Looked into first, itself and its folders fashion-mnist and FashionMNIST/raw; ``default_data_dir()``
            when absent. Then come the folders where a distribution's package puts the data set.

    Raises:
        DataError: No data set of this name can be fetched.
    """
    return _look(name, data_dir)[0]


def fetch(name: str, data_dir: Path | None = None, ways: Mapping[str, Way] | None = None) -> Path:
    """The folder that holds the whole data set, brought to this machine if need be.

    Args:
        name: "fashion-mnist".
        data_dir: Where to look first and where to put what is brought; ``default_data_dir()`` when absent.
        ways: How to bring it, by what to call each in messages, in the order to try; torchvision's mirrors and Debian's
            package when absent.

    Raises:
        DataError: Every place and way failed; the message lists each with its reason, and says what to do.

    Guarantee:
        A file stands under its final name only if its checksum is right, whoever else fetches at the same time and
        whenever the process is killed.
    """
    found, reasons = _look(name, data_dir)
    if found is not None:
        return found
    folder = (data_dir or default_data_dir()) / name
    for label, way in (WAYS if ways is None else ways).items():
        try:
            files = way()
            check_packed(files, fashion_mnist.MD5)
            return install({file: files[file] for file in fashion_mnist.MD5}, folder)
        except DataError as error:
            reasons.append(f"{label}: {error}")
    raise DataError(_nowhere(name, folder, reasons))


def _look(name: str, data_dir: Path | None) -> tuple[Path | None, list[str]]:
    if name != "fashion-mnist":
        raise DataError(f"data: expected a data set that can be fetched (fashion-mnist), received {name!r}")
    reasons: list[str] = []
    for folder in _places(data_dir or default_data_dir()):
        reason = check_folder(folder, fashion_mnist.MD5)
        if reason is None:
            return folder, reasons
        reasons.append(f"{folder}: {reason}")
    return None, reasons


def _places(data_dir: Path) -> Iterable[Path]:
    return [*(data_dir / folder for folder in fashion_mnist.FOLDERS), *SYSTEM_FOLDERS]


def _nowhere(name: str, folder: Path, reasons: Sequence[str]) -> str:
    tried = "\n".join(f"  - {reason}" for reason in reasons)
    return (
        f"{name}: expected to find or bring the data set, every place failed:\n{tried}\n"
        f"Install the package {fashion_mnist.DEBIAN_PACKAGE}, or put the files {', '.join(fashion_mnist.MD5)} (plain "
        f"or with .gz) into {folder}, or name the folder that holds them with --data-dir or {DATA_DIR}"
    )
