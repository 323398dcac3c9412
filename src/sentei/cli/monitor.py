"""``sentei monitor``: production rows, fed to the evidence that a certificate does not hold any more."""

import json
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from sentei.adapters.mlflow.revocation import Registration
    from sentei.steps.monitor.state import State

EXIT_REVOKED = 10


@click.command()
@click.argument("bundle")
@click.argument("rows", nargs=-1)
@click.option(
    "--state",
    type=click.Path(path_type=Path, dir_okay=False),
    default=None,
    help="File that keeps the evidence; if left out, monitor-<start of the certificate's SHA-256>.json here.",
)
@click.option(
    "--resume", "must_exist", is_flag=True, help="Refuse to begin a new state; for every night but the first."
)
@click.option("--limit", default=None, help="Largest disagreement with the dense model, for rows without labels.")
@click.option("--delta", default=None, help="Chance of a false alarm, ever; if left out, the certificate's.")
@click.option(
    "--dense",
    type=click.Path(path_type=Path),
    default=None,
    help="The dense model's model.onnx, or its folder; asked about .npz rows.",
)
@click.option(
    "--public-key",
    type=click.Path(path_type=Path, dir_okay=False),
    default=None,
    help="Demand that the bundle was signed by the private half of this key.",
)
@click.option("--model", default=None, help="Registered model in MLflow; if left out, what the bundle says.")
@click.option("--no-registry", is_flag=True, help="Only watch and say so; MLflow is not asked.")
@click.option("--certify", is_flag=True, help="Gather evidence for the claim instead; nothing is ever revoked.")
@click.option("--json", "as_json", is_flag=True, help="Print what was found as one JSON object.")
def monitor(
    bundle: str,
    rows: tuple[str, ...],
    state: Path | None,
    must_exist: bool,
    limit: str | None,
    delta: str | None,
    dense: Path | None,
    public_key: Path | None,
    model: str | None,
    no_registry: bool,
    certify: bool,
    as_json: bool,
) -> None:
    """Feed production ROWS to the evidence against BUNDLE's certificate, and revoke it once that is enough.

    ROWS are files or folders, here or on s3://. A .npz holds inputs x and perhaps labels y, and the certified network
    and the --dense one are asked about them; a .csv holds a header and the answers, in columns variant, dense and
    perhaps label. Labelled rows are held against what the certificate claims, the others against the --limit. A
    file that was fed before is passed over; without ROWS it says what is known so far.

    Look as often as you like: a certificate that holds is ever revoked with probability delta at most. To revoke is to
    take the aliases certified and champion from its version in MLflow, and to tag it revoked.

    Exit code 0 while the certificate stands, 10 once it is revoked; the others are those of every command.
    """
    from sentei.adapters.rows import files_of
    from sentei.adapters.uris import bundle_at
    from sentei.cli.signed import signature_line
    from sentei.steps.monitor.report import facts
    from sentei.steps.monitor.session import Wishes, resume
    from sentei.steps.monitor.session import monitor as watch
    from sentei.steps.monitor.state import locked
    from sentei.steps.monitor.subject import subject_of

    wishes = Wishes("certify" if certify else "revoke", limit, delta, must_exist)
    with bundle_at(bundle) as folder:
        subject = subject_of(folder, dense)
        if public_key is not None:
            signature_line(folder, public_key)
        sha256 = subject.certificate_sha256
        path = state or Path(f"monitor-{sha256[:12]}.json")
        with locked(path):
            begun = resume(path, subject.record, sha256, wishes)
            version = None if certify or no_registry else _registration(sha256, model or subject.model)
            ended = watch(
                path, begun, files_of(rows), subject.networks, version, partial(click.echo, err=as_json), _now
            )
    found = facts(ended) | {"revoked_before": version.revoked if version else ""}
    click.echo(json.dumps(found, indent=2) if as_json else "\n".join(_lines(ended, version)))
    if found["verdict"] == "revoked" or found["revoked_before"]:
        sys.exit(EXIT_REVOKED)


def _registration(certificate_sha256: str, name: str) -> "Registration":
    from sentei.adapters.mlflow.revocation import find_registration

    return find_registration(certificate_sha256, name)


def _lines(state: "State", version: "Registration | None") -> list[str]:
    from sentei.steps.monitor.report import conclusion, lines

    told = lines(state)
    if state.crossed is None and version is not None and version.revoked:
        return [*told, f"REVOKED by somebody else at {version.revoked}; nothing was fed"]
    told.append(conclusion(state))
    if state.revoked is not None:
        done = state.revoked
        told += [
            f"registry: {done['model']} version {done['version']} is tagged revoked, aliases removed: "
            f"{done['removed'] or 'none'}",
            f"          still certified: {done['still_certified'] or 'nothing'}; no alias was moved there",
        ]
    elif version is not None:
        told.append(f"registry: {version.name} version {version.version}")
    return told


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
