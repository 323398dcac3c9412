"""What a run ends with: every variant, the certificate in one sentence, the registry entry, and what to do next."""

import json
import os
import shlex
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sentei.adapters.mlflow.connection import without_user
from sentei.cli.typed import program
from sentei.risk.decimals import grouped
from sentei.steps import layout
from sentei.steps.describe import column

WITHOUT_NAMES = 116
"""Characters of a row of the table beside the variant's name."""
COLOURS = {"certified": "green", "refused": "red", "failed": "red", "not tested": "dim"}


def show(result: dict[str, Any]) -> None:
    """Print the report of a run.

    Args:
        result: Path and facts of the ``verdict`` and of the ``bundle``.
    """
    verdict, bundle = (layout.read_manifest(result[name]["path"]) for name in ("verdict", "bundle"))
    rows = json.loads(verdict.file(layout.TABLE).read_bytes())
    console = Console()
    if not console.is_terminal:
        console = Console(width=max(132, WITHOUT_NAMES + max(len(row["name"]) for row in rows)))
    console.print(_table(rows, _latencies(verdict)))
    for line in (*verdict.facts["lines"], *bundle.facts.get("lines", [])):
        console.print(escape(line), highlight=False, soft_wrap=True)
    console.print("\n".join(["", *_next(result["bundle"]["facts"])]), highlight=False, soft_wrap=True)


def _latencies(verdict: layout.Artifact) -> dict[str, str]:
    if layout.LATENCY not in verdict.files:
        return {}
    found: dict[str, str] = json.loads(verdict.file(layout.LATENCY).read_bytes())
    return found


def _table(rows: list[dict[str, Any]], latencies: dict[str, str]) -> Table:
    table = Table(title="every variant", title_justify="left")
    table.add_column("variant", overflow="fold")
    measure = column(rows)
    for name in ("sparsity asked", "achieved", f"selection {measure}", "bytes", "MACs", "non-zero MACs", "ms"):
        table.add_column(name, justify="right")
    table.add_column("verdict")
    for row in rows:
        colour = COLOURS.get(row["verdict"], "bold")
        table.add_row(
            row["name"],
            _percent(row["sparsity"]),
            _percent(row["achieved_sparsity"]),
            _percent(row[measure], 2),
            *(grouped(int(row[name])) if row[name] else "-" for name in ("bytes", "macs", "nonzero_macs")),
            f"{float(latencies[row['name']]):.3f}" if row["name"] in latencies else "-",
            f"[{colour}]{row['verdict']}[/]" + (f": {escape(row['reason'])}" if row["reason"] else ""),
        )
    return table


def _next(entry: dict[str, str]) -> list[str]:
    """The registry entry, and the commands that look further."""
    look = f"review the runs:    {_look()}"
    if entry["status"] != "ok":
        return ["registry:           left alone", look]
    champion = "champion now stands here" if entry["moved_champion"] == "true" else "no new champion"
    return [
        f"registry:           {entry['name']} version {entry['version']}, aliases {entry['aliases']}",
        f"                    {champion}: {entry['promotion']}",
        f"verify the bundle:  {program('sentei')} verify {shlex.quote(entry['released'])}",
        look,
    ]


def _look() -> str:
    """How to open what MLflow has recorded: a local database needs a server first."""
    uri = without_user(os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db")
    if uri.startswith("sqlite:"):
        return f"{program('mlflow')} ui --backend-store-uri {shlex.quote(uri)} --port 5000"
    return f"in the browser: {uri}" if uri.startswith(("http:", "https:")) else f"in MLflow, at {uri}"


def _percent(text: str, digits: int = 1) -> str:
    return f"{100 * float(text):.{digits}f} %" if text else "-"
