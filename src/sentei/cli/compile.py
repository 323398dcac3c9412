"""``sentei compile``: the pipeline package and component files for a given image."""

from pathlib import Path

import click


def _named(ctx: click.Context, option: click.Parameter, image: str) -> str:
    if not image or any(character.isspace() for character in image):
        raise click.BadParameter(f"expected the name of an image, such as registry/sentei:1, received {image!r}")
    return image


@click.command("compile")
@click.option("--image", required=True, callback=_named, help="Image of the components, by tag or digest.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path("compiled"), show_default=True)
def compile_package(image: str, out: Path) -> None:
    """Write the compiled pipeline and every component.yaml, with IMAGE in place, into a folder.

    The pipeline takes the recipe as a parameter, so that one package serves every recipe.
    """
    from sentei.adapters.kubeflow.package import shipped, with_image

    sources = {"compress.yaml": shipped("pipelines/compress.yaml")}
    for path in sorted(shipped("components").glob("*/component.yaml")):
        sources[f"components/{path.parent.name}.yaml"] = path
    for name, path in sources.items():
        target = out / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(with_image(path.read_text(encoding="utf-8"), image), encoding="utf-8")
        click.echo(target)
