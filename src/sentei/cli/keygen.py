"""``sentei keygen``: the pair of keys that bundles are signed and checked with."""

import shlex
from pathlib import Path

import click


@click.command()
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="Folder; here if left out."
)
def keygen(out: Path) -> None:
    """Make a pair of elliptic-curve keys, sentei.key (private, mode 0600) and sentei.pub; never over existing ones.

    If SENTEI_SIGNING_PASSWORD is set, it encrypts the private key, and has to be set where bundles are signed.
    """
    from sentei.adapters.signing.keys import KEY, fingerprint, make_keys, password_from_env, read_public
    from sentei.cli.typed import program

    password = password_from_env()
    private, public = make_keys(out, password)
    kept = "encrypted by the password" if password else "not encrypted: keep it where only register can read it"
    click.echo(
        "\n".join(
            [
                f"key {fingerprint(read_public(public))[:12]}",
                f"private: {private}, {kept}",
                f"         to sign what a run releases: {KEY}={shlex.quote(str(private.resolve()))}",
                f"public:  {public}",
                f"         to check: {program('sentei')} verify BUNDLE --public-key {shlex.quote(str(public))}",
            ]
        )
    )
