"""The compiled pipeline that travels with the package, and the image that it is given when it is used."""

from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from pydantic_core import PydanticCustomError

from sentei.certificate.canonical import sha256_hex
from sentei.errors import ArtifactError, RecipeError
from sentei.recipe.platform import Platform, pinned
from sentei.steps.runtime import sources_digest

PACKAGE = Path(__file__).resolve().parents[2]


def shipped(relative: str) -> Path:
    """Where a file of ``components/`` or ``pipelines/`` stands: inside the wheel, or at the checkout's top level.

    Raises:
        ArtifactError: The installation lacks it.
    """
    roots = (PACKAGE / "shipped", PACKAGE.parents[1])
    for root in roots:
        if (root / relative).exists():
            return root / relative
    raise ArtifactError(f"{relative}: expected under {roots[0]} or {roots[1]}, found in neither; install sentei again")


def recipe_text(name: str) -> str:
    """The text of a recipe, given as a path or as the name of a shipped one.

    Raises:
        RecipeError: There is neither such a file nor such a shipped recipe.
    """
    known = {found.stem: found for found in sorted(shipped("pipelines/recipes").glob("*.yaml"))}
    path = Path(name) if Path(name).is_file() else known.get(name)
    if path is None:
        raise RecipeError(_no_recipe(name, list(known)))
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise RecipeError(f"{name}: expected a text in UTF-8; {error}") from error


def _no_recipe(name: str, known: list[str]) -> str:
    if Path(name).is_dir():
        inside = ", ".join(sorted(str(path) for path in Path(name).glob("*.y*ml"))) or "it holds no .yaml file"
        return f"{name}: expected a recipe, found a folder; name the file itself ({inside})"
    near = get_close_matches(Path(name).stem, known, n=1)
    question = f"; did you mean {near[0]!r}?" if near else ""
    return f"{name}: no such file, and no shipped recipe of that name; shipped are {', '.join(known)}{question}"


def n_tasks(n_variants: int, pipeline: str = "compress") -> int:
    """How many tasks a pipeline has; to compress, each variant of the family has three."""
    return 8 + 3 * n_variants if pipeline == "compress" else 3


def local_image() -> str:
    """The stand-in image of local runs; it names the code, so that a changed package never meets a stale cache."""
    return f"python-sentei:{sources_digest()[:12]}"


def pipeline_names() -> list[str]:
    """The pipelines that are shipped, by name."""
    return sorted(path.stem for path in shipped("pipelines").glob("*.yaml"))


def component_files() -> list[Path]:
    """The component.yaml of every shipped component."""
    return sorted(shipped("components").glob("*/component.yaml"))


def uploaded_as(pipeline: str) -> str:
    """Name of a shipped pipeline on a cluster, beside those of others.

    Example:
        >>> uploaded_as("compress")
        'sentei-compress'
    """
    return f"sentei-{pipeline}"


def version_name(pipeline: str, package: str) -> str:
    """Name of the version with this package, wherever it is kept; no two packages share one.

    Args:
        pipeline: Name of the pipeline on the cluster.
        package: YAML of one or two documents.

    Example:
        >>> version_name("sentei-compress", "pipelineInfo: {name: compress}")
        'sentei-compress-a00eac0055ce'
    """
    return f"{pipeline}-{sha256_hex(package.encode())[:12]}"


def require_image(platform: Platform, image: str | None = None) -> str:
    """The image of the components: the given one, or the platform's.

    Raises:
        RecipeError: Neither names one, or it is not pinned by a tag or digest.
    """
    named = image or platform.image
    if not named:
        raise RecipeError(
            "platform.image: expected the image of the components, found none; name it there or with --image"
        )
    try:
        return pinned(named)
    except PydanticCustomError as error:
        raise RecipeError(f"{named}: {error}") from error


def with_image(text: str, image: str) -> str:
    """A component or pipeline, as YAML, in which every container runs ``image``."""
    documents = list(yaml.safe_load_all(text))
    for executor in _executors(documents[0]):
        executor["container"]["image"] = image
    return yaml.safe_dump_all(documents, sort_keys=True)


def _executors(package: dict[str, Any]) -> list[dict[str, Any]]:
    found = list(package["deploymentSpec"]["executors"].values())
    return [executor for executor in found if "container" in executor]
