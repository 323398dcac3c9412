"""``sentei compile``: packages, component files and Kubernetes objects for an image and a platform."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from sentei.recipe.platform import Platform


def _secrets(ctx: click.Context, option: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    from sentei.recipe.platform import Secrets

    pairs = dict(text.partition("=")[::2] for text in given)
    if unknown := [text for text in given if text.partition("=")[0] not in Secrets.model_fields or "=" not in text]:
        expected = ", ".join(f"{name}=NAME" for name in Secrets.model_fields)
        raise click.BadParameter(f"expected one of {expected}, received {', '.join(unknown)}")
    return pairs


@click.command("compile")
@click.option("--recipe", help="Recipe whose platform section says what every step gets: a path, or a shipped name.")
@click.option("--image", help="Image of the components, by tag or digest; the recipe's if left out.")
@click.option("--namespace", help="Namespace of the runs; the recipe's if left out.")
@click.option(
    "--secret", "secrets", multiple=True, callback=_secrets, help="Such as s3=NAME, mlflow=NAME, signing=NAME."
)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path("compiled"), show_default=True)
def compile_package(
    recipe: str | None, image: str | None, namespace: str | None, secrets: dict[str, str], out: Path
) -> None:
    """Write every pipeline and component, with the image and the platform in place, into a folder.

    \b
      compress.yaml, recertify.yaml   packages to upload: sentei submit and sentei schedule send the same
      kubernetes/                     the same as Pipeline and PipelineVersion, to apply with kubectl
      components/                     every component alone, for pipelines of your own

    A pipeline takes its recipe as a parameter, so that one package serves every recipe on the same platform.
    """  # noqa: D301  # click asks for the control character itself, which keeps the lines below it as they are
    from sentei.adapters.kubeflow.cluster import platform_package
    from sentei.adapters.kubeflow.manifests import pipeline_manifests
    from sentei.adapters.kubeflow.package import component_files, pipeline_names, require_image, with_image

    platform = _platform(recipe, namespace, secrets)
    named = require_image(platform, image)
    files: dict[str, str] = {}
    for name in pipeline_names():
        files[f"{name}.yaml"] = platform_package(platform, name, named)
        files[f"kubernetes/{name}.yaml"] = pipeline_manifests(files[f"{name}.yaml"], platform.namespace)
    for path in component_files():
        files[f"components/{path.parent.name}.yaml"] = with_image(path.read_text(encoding="utf-8"), named)
    for name, text in files.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text(text, encoding="utf-8")
        click.echo(out / name)


def _platform(recipe: str | None, namespace: str | None, secrets: dict[str, str]) -> "Platform":
    """The recipe's platform, with what the command line says instead."""
    from sentei.adapters.kubeflow.package import recipe_text
    from sentei.recipe import parse_recipe
    from sentei.recipe.platform import Platform

    platform = parse_recipe(recipe_text(recipe), recipe).platform if recipe else Platform()
    return platform.instead(namespace=namespace, secrets=secrets)
