"""``sentei verify``: everything that a bundle says, recomputed."""

from pathlib import Path
from tempfile import TemporaryDirectory

import click


@click.command()
@click.argument("bundle")
def verify(bundle: str) -> None:
    """Check BUNDLE (a folder, or s3://bucket/prefix/digest): every digest, count and p-value again.

    Exit code 0 when all of it holds; otherwise the reason, and the file, and exit code 3 or 6.
    """
    from sentei.adapters.s3.address import is_s3
    from sentei.steps.verify import verify as check

    if not is_s3(bundle):
        click.echo("\n".join(check(Path(bundle)).lines()))
        return
    from sentei.adapters.s3.bundle import fetch_bundle

    with TemporaryDirectory() as folder:
        fetch_bundle(bundle, Path(folder) / "bundle")
        click.echo("\n".join(check(Path(folder) / "bundle").lines()))
