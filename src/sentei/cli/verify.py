"""``sentei verify``: everything that a bundle says, recomputed, and who signed it."""

from pathlib import Path

import click


@click.command()
@click.argument("bundle")
@click.option(
    "--public-key",
    type=click.Path(path_type=Path, dir_okay=False),
    default=None,
    help="Demand that exactly this bundle was signed by the private half of this key.",
)
def verify(bundle: str, public_key: Path | None) -> None:
    """Check BUNDLE (a folder, or s3://bucket/prefix/digest): every digest, count and p-value again.

    Exit code 0 when all of it holds; otherwise the reason, and the file, and exit code 3 or 6. Without a public key a
    signature is not looked at, and whoever could rewrite all of the bundle could have done so consistently.
    """
    from sentei.adapters.uris import bundle_at
    from sentei.cli.signed import signature_line
    from sentei.steps.verify import verify as check

    with bundle_at(bundle) as folder:
        lines = check(folder).lines()
        lines.append(signature_line(folder, public_key))
    click.echo("\n".join(lines))
