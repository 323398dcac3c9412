"""A model that MLflow keeps -> a folder on disk, fetched once."""

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sentei.adapters.mlflow.connection import asking, connect, tracking_uri, without_user
from sentei.certificate.canonical import digest
from sentei.errors import RecipeError
from sentei.steps.layout import PARTIAL

if TYPE_CHECKING:
    from mlflow import MlflowClient

_SCHEME = "models:/"


def download_model(uri: str, cache_dir: Path) -> Path:
    """The folder with the files of one model version.

    Args:
        uri: ``models:/name/version`` or ``models:/name@alias``.
        cache_dir: Where fetched models are kept; a version is fetched once.

    Returns:
        The folder. It is shared with other processes: read it, do not write to it.

    Raises:
        RecipeError: The URI cannot be read.
        ServiceError: There is no such version, or MLflow could not be reached.
    """
    client = connect()
    with asking(f"fetch {uri}"):
        version = _version(client, uri)
        known = [without_user(tracking_uri()), version.name, str(version.version), version.source]
        place = cache_dir / digest([*known, int(version.creation_timestamp)])[:32]
        if not place.exists():
            _fetch(f"{_SCHEME}{version.name}/{version.version}", place)
    return place


def _version(client: "MlflowClient", uri: str) -> Any:
    name, _, number = uri.removeprefix(_SCHEME).partition("/")
    model, _, alias = name.partition("@")
    if uri.startswith(_SCHEME) and model and number.isdecimal() and not alias:
        return client.get_model_version(model, number)
    if uri.startswith(_SCHEME) and model and alias and not number:
        return client.get_model_version_by_alias(model, alias)
    raise RecipeError(f"expected models:/name/version or models:/name@alias, received {uri!r}; correct the URI")


def _fetch(uri: str, place: Path) -> None:
    from mlflow.artifacts import download_artifacts

    partial = place.with_name(f"{place.name}{PARTIAL}{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        download_artifacts(uri, dst_path=str(partial), tracking_uri=tracking_uri())
        os.rename(partial, place)
    except OSError:
        # Another process may have been faster; what it fetched is the same version.
        if not place.is_dir():
            raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
