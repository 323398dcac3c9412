"""``sentei data``: data sets on this machine."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sentei.cli.shard import shard

if TYPE_CHECKING:
    from sentei.sources.fetch import Way


@click.group()
def data() -> None:
    """Bring data sets onto this machine, or write them in shards."""


data.add_command(shard)


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
    from sentei.sources.fetch import WAYS
    from sentei.sources.fetch import fetch as bring

    click.echo(f"looking for {name} on this machine", err=True)
    click.echo(bring(name, data_dir, {label: _told(label, way) for label, way in WAYS.items()}))


def _told(label: str, way: "Way") -> "Way":
    """The same way, which says that it is tried; what it brings may take minutes."""

    def tell_and_try() -> Mapping[str, bytes]:
        click.echo(f"trying {label}", err=True)
        return way()

    return tell_and_try
