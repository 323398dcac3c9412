"""What a run of the pipeline ``recertify`` ends with, and its exit code."""

import shlex
from typing import Any

import click

from sentei.cli.typed import program
from sentei.steps import layout

EXIT_DEMOTED = 10
"""As for a certificate that a monitor has revoked."""


def show(result: dict[str, Any]) -> int:
    """Print the report of a run; the exit code: 10 if the version was demoted, else 0.

    Args:
        result: Path and facts of the ``verdict`` and of the ``bundle``.
    """
    facts, entry = layout.read_manifest(result["verdict"]["path"]).facts, result["bundle"]["facts"]
    demoted = entry["demoted"] == "true"
    click.echo("\n".join([*facts["lines"], "", *_registry(entry, demoted)]))
    return EXIT_DEMOTED if demoted else 0


def _registry(entry: dict[str, str], demoted: bool) -> list[str]:
    where = f"registry:           {entry['model']} version {entry['version']}"
    if demoted:
        return [
            f"{where} is demoted: tagged revoked, aliases removed: {entry['removed'] or 'none'}",
            f"                    still certified: {entry['still_certified'] or 'nothing'}; no alias was moved there",
        ]
    if entry["outcome"] == "recertified":
        return [
            f"{where} is tagged recertified_at",
            f"verify the bundle:  {program('sentei')} verify {shlex.quote(entry['released'])}",
        ]
    return [f"{where} stays as it is" if entry["version"] else "registry:           left alone"]
