"""Turns the URIs that users write into local paths: ``s3://`` through boto3, ``models:/`` through MLflow."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from sentei.errors import DataError
from sentei.steps.examples import cache_folder

if TYPE_CHECKING:
    from sentei.steps.ledger import Ledger


def open_uri(uri: str) -> Path:
    """A local copy of what a URI names, fetched once per content.

    Args:
        uri: ``s3://bucket/key``, ``s3://bucket/prefix/`` or ``models:/name/version``, ``models:/name@alias``.

    Raises:
        DataError: The scheme is another one.
        ServiceError: The service did not give it.
    """
    if uri.startswith("s3://"):
        from sentei.adapters.s3.cache import cached_download

        return cached_download(uri, cache_folder().parent / "s3")
    if uri.startswith("models:/"):
        from sentei.adapters.mlflow.download import download_model

        return download_model(uri, cache_folder().parent / "models")
    raise DataError(f"{uri}: expected a local path, s3://bucket/key or models:/name@alias; correct the recipe")


@contextmanager
def bundle_at(place: str) -> Iterator[Path]:
    """The folder of a released bundle; one on S3 is fetched, and the copy goes with the block.

    Args:
        place: A folder, or ``s3://bucket/prefix/digest``.

    Raises:
        ArtifactError: There is no finished bundle on S3, or it was altered.
        ServiceError: S3 did not give it.
    """
    if not place.startswith("s3://"):
        yield Path(place)
        return
    from sentei.adapters.s3.bundle import fetch_bundle

    with TemporaryDirectory() as folder:
        fetch_bundle(place, Path(folder) / "bundle")
        yield Path(folder) / "bundle"


def open_ledger(place: str) -> "Ledger":
    """The ledger that is kept at a place; opening it writes nothing, and what is not there yet is an empty ledger.

    Args:
        place: A folder, or ``s3://bucket/prefix/``.

    Raises:
        RecipeError: The URI cannot be read.
    """
    from sentei.steps.ledger import FolderShelf, Ledger

    if not place.startswith("s3://"):
        return Ledger(FolderShelf(place))
    from sentei.adapters.s3.shelf import S3Shelf

    return Ledger(S3Shelf(place))
