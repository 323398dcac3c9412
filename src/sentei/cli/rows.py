"""Where the commands look for data sets first."""

import os
from pathlib import Path

import click

from sentei.errors import RecipeError

data_dir_option = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    help="Where data sets are looked for first (or set SENTEI_DATA_DIR).",
)


def look_first(data_dir: Path | None) -> None:
    """Let this process and the steps that it starts look into a folder first.

    Raises:
        RecipeError: There is no such folder.
    """
    if data_dir is None:
        return
    if not data_dir.is_dir():
        raise RecipeError(
            f"--data-dir {data_dir}: expected a folder, found nothing there; correct the path, or leave it out"
        )
    os.environ["SENTEI_DATA_DIR"] = str(data_dir.resolve())
