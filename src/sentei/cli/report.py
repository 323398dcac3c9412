"""What a run ends with: every variant, the certificate in one sentence, the registry entry, and what to do next."""

import json
import os
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sentei.steps import layout

COLOURS = {"certified": "green", "refused": "red", "failed": "red", "not tested": "dim"}


def show(result: dict[str, Any]) -> None:
    """Print the report of a run.

    Args:
        result: Path and facts of the ``verdict`` and of the ``bundle``.
    """
    console = Console()
    if not console.is_terminal:
        console = Console(width=132)
    verdict, bundle = (layout.read_manifest(result[name]["path"]) for name in ("verdict", "bundle"))
    rows = json.loads(verdict.file("table.json").read_bytes())
    console.print(_table(rows))
    for line in (*verdict.facts["lines"], *bundle.facts.get("lines", [])):
        console.print(escape(line), highlight=False, soft_wrap=True)
    console.print("\n".join(["", *_next(result["bundle"]["facts"])]), highlight=False, soft_wrap=True)


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table(title="every variant", title_justify="left")
    table.add_column("variant")
    for name in ("sparsity asked", "achieved", "selection accuracy", "bytes", "MACs", "non-zero MACs"):
        table.add_column(name, justify="right")
    table.add_column("verdict")
    for row in rows:
        colour = COLOURS.get(row["verdict"], "bold")
        table.add_row(
            row["name"],
            _percent(row["sparsity"]),
            _percent(row["achieved_sparsity"]),
            _percent(row["accuracy"], 2),
            *(_grouped(row[name]) for name in ("bytes", "macs", "nonzero_macs")),
            f"[{colour}]{row['verdict']}[/]" + (f": {escape(row['reason'])}" if row["reason"] else ""),
        )
    return table


def _next(entry: dict[str, str]) -> list[str]:
    """The registry entry, and the commands that look further."""
    uri = os.environ.get("MLFLOW_TRACKING_URI")
    look = f"open {uri}" if uri else "mlflow ui --backend-store-uri sqlite:///mlflow.db --port 5000"
    if entry["status"] != "ok":
        return ["registry:           left alone", f"review the runs:    {look}"]
    return [
        f"registry:           {entry['name']} version {entry['version']}, aliases {entry['aliases']}",
        f"                    champion: {entry['promotion']}",
        f"verify the bundle:  sentei verify {entry['released']}",
        f"review the runs:    {look}",
    ]


def _percent(text: str, digits: int = 1) -> str:
    return f"{100 * float(text):.{digits}f} %" if text else "-"


def _grouped(text: str) -> str:
    return f"{int(text):,}".replace(",", " ") if text else "-"
