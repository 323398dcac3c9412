"""Where users say production rows are -> the files, one after another, on this machine."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from sentei.errors import DataError
from sentei.steps.monitor.rows import ENDINGS

_SCHEME = "s3://"


def files_of(places: Iterable[str]) -> Iterator[tuple[str, Path]]:
    """Name and path of every file of rows.

    Args:
        places: Files, folders, ``s3://bucket/key`` or ``s3://bucket/prefix/``; of a folder or prefix the files that end
            with ``.csv`` or ``.npz``, by name, those of folders inside it, too.

    Yields:
        Name, as users know it, and path; the copy of an object on S3 goes when the next one is asked for.

    Raises:
        DataError: There is nothing at a place.
        ServiceError: S3 did not give it.
    """
    for place in places:
        yield from _on_s3(place) if place.startswith(_SCHEME) else _on_disk(Path(place))


def _on_disk(place: Path) -> Iterator[tuple[str, Path]]:
    if not place.is_dir():
        if not place.is_file():
            raise DataError(f"{place}: expected a file or folder of rows, found nothing there; correct the path")
        yield str(place), place
        return
    found = sorted(path for path in place.rglob("*") if path.suffix in ENDINGS and path.is_file())
    _require(found, str(place))
    yield from ((str(path), path) for path in found)


def _on_s3(place: str) -> Iterator[tuple[str, Path]]:
    from sentei.adapters.s3.address import parse
    from sentei.adapters.s3.store import S3

    address, s3 = parse(place), S3.from_env()
    names = [place]
    if address.is_folder:
        names = [str(one.address) for one in s3.objects(address) if one.address.name.endswith(ENDINGS)]
        _require(names, place)
    for name in names:
        with TemporaryDirectory() as folder:
            path = Path(folder) / parse(name).name
            s3.download_file(name, path)
            yield name, path


def _require(found: list[Path] | list[str], place: str) -> None:
    if not found:
        raise DataError(f"{place}: expected files that end with {' or '.join(ENDINGS)}, found none; correct the place")
