"""Looking at a recipe before it is sent: what it names must be there for a pod, and still be there after it."""

from urllib.parse import urlsplit

from sentei.errors import RecipeError
from sentei.recipe import Recipe
from sentei.recipe.places import FILES, is_remote, read_places, written_places

TRACKING = "MLFLOW_TRACKING_URI"


def require_cluster(recipe: Recipe, *, by_plugin: bool = False) -> None:
    """Nothing, if every place of the recipe outlives the pods that use it and every input can reach them.

    Args:
        recipe: What is to be submitted.
        by_plugin: Kubeflow's own MLflow plugin tells the pods where to record.

    Raises:
        RecipeError: Places of the recipe vanish with their pod; all of them are named.
    """
    kept = written_places(recipe)
    found = [f"{field}: {_keep(place)}" for field, place in kept.items() if not _lasts(place, recipe)]
    for field, place in read_places(recipe).items():
        if not is_remote(field, place) and not place.startswith("/"):
            remote = "" if field in FILES else "s3://bucket/..., or "
            found.append(
                f"{field}: expected {remote}an absolute path in the pod, received {place}: the files of this machine "
                "are not there"
            )
    if not by_plugin and (mistake := _tracking(recipe)):
        found.append(mistake)
    if found:
        raise RecipeError("\n".join(["on a cluster this recipe would lose what it makes:", *found]))


def _lasts(place: str, recipe: Recipe) -> bool:
    platform = recipe.platform
    mounted = [mount.at for mount in platform.mounts]
    if platform.workspace:
        mounted.append(platform.workspace.at)
    return place.startswith(("s3://", *(f"{at}/" for at in mounted))) or place in mounted


def _keep(place: str) -> str:
    return (
        f"expected s3://bucket/prefix, or a folder of a volume under platform.mounts or platform.workspace, received "
        f"{place}: it vanishes with the pod"
    )


def _tracking(recipe: Recipe) -> str:
    uri = recipe.platform.environment.get(TRACKING, "")
    if urlsplit(uri).scheme in ("http", "https", "databricks", "postgresql", "mysql"):
        return ""
    received = f"received {uri}" if uri else "found none"
    return (
        f"platform.environment: expected {TRACKING}: http://..., {received}: runs and registered versions would be in "
        "a file of the pod; or say --mlflow-by-plugin if Kubeflow's plugin tells the pods"
    )
