"""``sentei data``: data sets on this machine."""

from pathlib import Path

import click


@click.group()
def data() -> None:
    """Bring data sets onto this machine."""


@data.command()
@click.argument("name", type=click.Choice(["fashion-mnist"]))
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    help="Where to put it; otherwise SENTEI_DATA_DIR, or the user's cache folder.",
)
def fetch(name: str, data_dir: Path | None) -> None:
    """Find NAME on this machine or download it, check it, and say where it is."""
    from sentei.sources import fetch as bring

    click.echo(bring(name, data_dir))
