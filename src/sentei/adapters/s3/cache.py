"""Data sets on S3 -> files on disk, fetched once for each version of their objects."""

import os
import shutil
from pathlib import Path

from sentei.adapters.s3.address import Address, parse
from sentei.adapters.s3.store import S3, Stored
from sentei.certificate.canonical import digest
from sentei.errors import ServiceError
from sentei.steps.layout import PARTIAL


def cached_download(uri: str, cache_dir: Path, s3: S3 | None = None) -> Path:
    """Where the data set now stands on disk: the file of one object, or the folder of a prefix.

    Args:
        uri: ``s3://bucket/key`` for one object, ``s3://bucket/prefix/`` for everything under a prefix.
        cache_dir: Where fetched data sets are kept. One stands under the digest of its objects' names, sizes and
            ETags, so a changed data set is fetched again and an unchanged one is not.
        s3: The store; the one that the environment names if None.

    Returns:
        The file or folder. It is shared with other processes: read it, do not write to it.

    Raises:
        ServiceError: There is nothing at the URI, or it could not be fetched.
        RecipeError: The URI cannot be read.

    Guarantee:
        A process killed at any moment leaves no half-fetched data set where a later one looks for it.
    """
    s3, address = s3 or S3.from_env(), parse(uri)
    found = _listed(s3, address)
    root = address.key if address.is_folder else address.key.removesuffix(address.name)
    version = digest([[str(one.address), one.size, one.etag] for one in found])
    place = cache_dir / address.bucket / version[:32]
    if not place.exists():
        _fetch_all(s3, found, root, place)
    return place if address.is_folder else place / address.name


def _listed(s3: S3, address: Address) -> list[Stored]:
    if address.is_folder:
        found = list(s3.objects(address))
    else:
        one = s3.head(address)
        found = [one] if one else []
    if not found:
        raise ServiceError(
            f"{address}: expected a data set, received nothing from {s3.endpoint}; check the bucket and the key "
            "(the URI of a folder ends with /)"
        )
    return found


def _fetch_all(s3: S3, found: list[Stored], root: str, place: Path) -> None:
    partial = place.with_name(f"{place.name}{PARTIAL}{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        for one in found:
            # Keys are names that somebody else chose: parse refuses those that would lead out of the folder.
            parse(str(one.address))
            s3.download_file(str(one.address), partial / one.address.key.removeprefix(root), one.etag)
        _appear(partial, place)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _appear(partial: Path, place: Path) -> None:
    try:
        os.rename(partial, place)
    except OSError:
        # Another process was faster; what it fetched has the same name because it is the same.
        if not place.is_dir():
            raise
