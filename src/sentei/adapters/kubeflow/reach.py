"""What tasks in containers cannot reach, found before anything is started."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from sentei.adapters.kubeflow.containers import Containers, user
from sentei.adapters.mlflow.connection import without_user
from sentei.errors import RecipeError
from sentei.recipe import Recipe
from sentei.recipe.places import FILES, is_remote, read_places, written_places

ENDPOINTS = ("MLFLOW_TRACKING_URI", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "MLFLOW_S3_ENDPOINT_URL")
HERE = re.compile(r"localhost|127\.[\d.]+|::1|0\.0\.0\.0")


def require_reachable(recipe: Recipe, containers: Containers) -> None:
    """Nothing, if tasks in containers find every place that the recipe and the environment name.

    Raises:
        RecipeError: Some they would not find, all of which are named.
    """
    mistakes = [*_places(recipe, containers), *_mounts(containers), *_tracking(), *_endpoints(containers), *_key()]
    if mistakes:
        raise RecipeError("tasks in containers would not find what they need:\n" + "\n".join(mistakes))


def _places(recipe: Recipe, containers: Containers) -> Iterator[str]:
    written = written_places(recipe)
    for field, place in (written | read_places(recipe)).items():
        if is_remote(field, place):
            continue
        if not Path(place).is_absolute() or not containers.sees(Path(place), write=field in written):
            option = "--mount FOLDER:rw" if field in written else "--mount FOLDER"
            remote = "" if field in FILES else "s3://..., or "
            yield f"  {field}: expected {remote}an absolute path under a folder of {option}; received {place}"


def _mounts(containers: Containers) -> Iterator[str]:
    for mount in containers.mounts:
        path = Path(mount.removesuffix(":rw"))
        if not path.is_absolute() or not path.is_dir():
            yield f"  --mount: expected the absolute path of a folder, with :rw behind it to write; received {mount}"


def _tracking() -> Iterator[str]:
    uri = os.environ.get("MLFLOW_TRACKING_URI", "")
    if not re.match(r"https?://|databricks", uri):
        told = without_user(uri) or "nothing, which means ./mlflow.db"
        yield f"  MLFLOW_TRACKING_URI: expected http(s)://... of a server; received {told}"


def _endpoints(containers: Containers) -> Iterator[str]:
    for name in ENDPOINTS:
        host = urlsplit(os.environ.get(name, "")).hostname or ""
        if HERE.fullmatch(host) and containers.network != "host":
            yield f"  {name}: {host} is the container itself; name the host by another address, or use --network host"


def _key() -> Iterator[str]:
    name = os.environ.get("SENTEI_SIGNING_KEY")
    if not name:
        return
    path = Path(name)
    if not path.is_file():
        yield f"  SENTEI_SIGNING_KEY: expected a file; there is none at {name}"
    elif path.stat().st_uid != user()[0] and not path.stat().st_mode & 0o004:
        yield f"  SENTEI_SIGNING_KEY: containers run as user {user()[0]}, who may not read {name}; chown it to them"
