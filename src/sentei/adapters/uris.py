"""Turns the URIs that users write into local paths: ``s3://`` through boto3, ``models:/`` through MLflow."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from sentei.errors import DataError, RecipeError
from sentei.sources.cache import cache_folder

if TYPE_CHECKING:
    from sentei.adapters.s3.objects import S3Objects
    from sentei.steps.ledger import Ledger


class Uris:
    """Opens what URIs name: called with one it gives a local copy; `objects` reaches the single files of a prefix."""

    def __call__(self, uri: str) -> Path:
        """A local copy of what a URI names, fetched once per content.

        Args:
            uri: ``s3://bucket/key``, ``s3://bucket/prefix/`` or ``models:/name/version``, ``models:/name@alias``.

        Raises:
            DataError: The scheme is another one.
            ServiceError: The service did not give it.
        """
        return _open(uri)

    def objects(self, uri: str) -> "S3Objects":
        """The files under ``s3://bucket/prefix/``, none of which is fetched yet.

        Raises:
            RecipeError: The URI cannot be read.
        """
        from sentei.adapters.s3.objects import S3Objects

        return S3Objects(uri)


open_uri: Final = Uris()


def _open(uri: str) -> Path:
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


def require_lasting(place: str) -> None:
    """Nothing, if a ledger at this place would still be there at the next run.

    Raises:
        RecipeError: In a pod, a folder that is not mounted from outside goes with the pod, and with it every attempt.
    """
    fleeting = place != "none" and not place.startswith(("s3://", "/"))
    if fleeting and os.environ.get("KUBERNETES_SERVICE_HOST"):
        raise RecipeError(
            f"ledger.at: expected s3://bucket/prefix, or the absolute path of a mounted volume, received {place}: a "
            "folder of the pod itself forgets its attempts when the pod ends"
        )


def require_trustworthy(place: str) -> None:
    """Nothing, if a ledger at this place counts every attempt: asked before anything expensive is begun.

    Args:
        place: A folder, ``s3://bucket/prefix`` or ``none``.

    Raises:
        RecipeError: The place would not outlive this pod.
        LedgerError: The server would let two runs take one attempt.
        ServiceError: The server refused or could not be reached.
    """
    require_lasting(place)
    if place.startswith("s3://"):
        from sentei.adapters.s3.shelf import S3Shelf

        S3Shelf(place).probe()


def open_ledger(place: str) -> "Ledger":
    """The ledger that is kept at a place; opening it writes nothing, and what is not there yet is an empty ledger.

    Args:
        place: A folder, or ``s3://bucket/prefix/``.

    Raises:
        RecipeError: The URI cannot be read, or the place would not outlive this pod.
    """
    from sentei.steps.ledger import FolderShelf, Ledger

    require_lasting(place)
    if not place.startswith("s3://"):
        return Ledger(FolderShelf(place))
    from sentei.adapters.s3.shelf import S3Shelf

    return Ledger(S3Shelf(place))
