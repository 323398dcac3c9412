"""Where the commands look for data sets, and where their prepared rows go."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

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


@contextmanager
def passing_cache() -> Iterator[None]:
    """Prepared rows and downloads go with the command, unless ``SENTEI_CACHE`` says where to keep them."""
    if os.environ.get("SENTEI_CACHE"):
        yield
        return
    with TemporaryDirectory() as folder:
        os.environ["SENTEI_CACHE"] = str(Path(folder) / "examples")
        try:
            yield
        finally:
            del os.environ["SENTEI_CACHE"]
