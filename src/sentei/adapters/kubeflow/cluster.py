"""The compiled pipeline as a cluster runs it: the recipe's platform, written into the package's two documents."""

from typing import Any

import yaml

from sentei.adapters.kubeflow.package import require_image, shipped, with_image
from sentei.adapters.kubeflow.pods import executor_config, resources
from sentei.recipe import Recipe
from sentei.recipe.kubernetes_forms import seconds
from sentei.recipe.platform import Platform, Retries


def cluster_package(recipe: Recipe, pipeline: str = "compress", image: str | None = None) -> str:
    """A pipeline's package for one recipe, as YAML; the recipe itself stays a parameter of every run.

    Args:
        recipe: Its platform says what every step gets.
        pipeline: Name of a shipped pipeline.
        image: Of the components; the platform's own if None.

    Raises:
        RecipeError: No image is named, or one that is not pinned.
        ArtifactError: There is no such pipeline in this installation.
    """
    return platform_package(recipe.platform, pipeline, require_image(recipe.platform, image))


def platform_package(platform: Platform, pipeline: str, image: str) -> str:
    """A pipeline's package for a platform and an image: Kubeflow's two documents, the same for the same arguments."""
    text = shipped(f"pipelines/{pipeline}.yaml").read_text(encoding="utf-8")
    package = next(yaml.safe_load_all(with_image(text, image)))
    for task, component in _tasks(package):
        if "parameterIterator" in task:
            task["iteratorPolicy"] = {"parallelismLimit": platform.parallelism}
        if step := _step_of(package, component):
            task["retryPolicy"] = _retry_policy(platform.step(step).retries or Retries())
    configs = {label: _equipped(executor, platform) for label, executor in _containers(package).items()}
    kubernetes = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": configs}}}}
    return yaml.safe_dump_all([package, kubernetes], sort_keys=True)


def _equipped(executor: dict[str, Any], platform: Platform) -> dict[str, Any]:
    """Write what a container gets into its executor; what its pod gets, as the second document says it."""
    name = step_name(executor)
    if asked := resources(platform.step(name)):
        executor["container"]["resources"] = asked
    config, environment = executor_config(name, platform, executor["container"]["image"])
    if environment:
        executor["container"]["env"] = [{"name": key, "value": environment[key]} for key in sorted(environment)]
    return config


def step_name(executor: dict[str, Any]) -> str:
    """The component that an executor runs, as a recipe calls it."""
    arguments = executor["container"]["args"]
    name: str = arguments[arguments.index("--function_to_execute") + 1]
    return name.replace("_", "-")


def _retry_policy(retries: Retries) -> dict[str, Any]:
    return {
        "maxRetryCount": retries.count,
        "backoffDuration": f"{seconds(retries.wait)}s",
        "backoffFactor": float(retries.factor),
        "backoffMaxDuration": f"{seconds(retries.at_most)}s",
    }


def _tasks(package: dict[str, Any]) -> list[tuple[dict[str, Any], str]]:
    """Every task of every graph, with the name of its component."""
    graphs = [package["root"], *package["components"].values()]
    tasks = [task for graph in graphs for task in graph.get("dag", {}).get("tasks", {}).values()]
    return [(task, task["componentRef"]["name"]) for task in tasks]


def _step_of(package: dict[str, Any], component: str) -> str | None:
    label = package["components"][component].get("executorLabel")
    executor = _containers(package).get(label)
    return step_name(executor) if executor else None


def _containers(package: dict[str, Any]) -> dict[str, dict[str, Any]]:
    executors: dict[str, dict[str, Any]] = package["deploymentSpec"]["executors"]
    return {label: executor for label, executor in executors.items() if "container" in executor}
