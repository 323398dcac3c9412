"""The tables of ``docs/scaling.md``, made from ``results/scaling.json``: ``python -m tests.bench.scaling_page``."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.bench.record import RESULTS
from tests.bench.scaling_model import Scenario, tasks, totals

PAGE = Path(__file__).parents[2] / "docs" / "scaling.md"
MARK = "<!-- made by tests/bench/scaling_page.py -->"


def rewrite() -> None:
    """Put the tables of the latest figures into the page, between its two marks."""
    before, _, after = PAGE.read_text().split(MARK)
    PAGE.write_text(f"{before}{MARK}\n{tables()}{MARK}{after}")


def tables() -> str:
    """All tables, as Markdown."""
    record = json.loads((RESULTS / "scaling.json").read_text())
    figures, asked = record["figures"], Scenario()
    parts = [_constants(record), *(_run(figures, name, asked) for name in figures["networks"])]
    return "\n" + "\n\n".join(parts) + "\n\n"


def _constants(record: dict[str, Any]) -> str:
    figures = record["figures"]
    shard, told = figures["shards"], figures["requests"]["by_task"]
    lines = [
        ("`row`: bytes of a row of 3 × 224 × 224 in a shard", f"{shard['bytes_per_row']:,.0f}"),
        ("`known`: bytes of what is known of a row", f"{shard['known_bytes_per_row']:.0f}"),
        ("`entry`: bytes of a shard in the index", f"{shard['index_bytes_per_shard']:.0f}"),
        (
            "rows read, checked and shuffled in a second by one core",
            f"{shard['read_and_checked_rows_per_processor_s']:,.0f}",
        ),
        ("rows written in shards in a second by one core", f"{shard['written_rows_per_processor_s']:,.0f}"),
        (
            "deciding, per tested variant on 25 000 rows",
            f"{1000 * figures['decision']['processor_s_per_variant']:.1f} ms",
        ),
    ]
    for name, net in figures["networks"].items():
        lines += [
            (
                f"{name}: served rows in a second by one core (ONNX Runtime)",
                f"{net['inference_rows_per_processor_s']:.1f}",
            ),
            (f"{name}: trained rows in a second by one core (torch)", f"{net['training_rows_per_processor_s']:.1f}"),
            (
                f"{name}: memory of a process that has exported the network",
                _size(net["process_bytes"]),
            ),
            (
                f"{name}: weights, and the served file",
                " and ".join(_size(net["files_bytes"][file]) for file in ("weights.safetensors", "model.onnx")),
            ),
            (f"{name}: columns of an evaluation, per row", f"{net['column_bytes_per_row']} bytes"),
        ]
    counted = figures["requests"]
    where = f"{record['hardware']['cpu']}, commit {record['commit'][:12]}, {record['date'][:10]}"
    requests = [(name, ", ".join(f"{n} {kind}" for kind, n in kinds.items()) or "none") for name, kinds in told.items()]
    sizes = ", ".join(f"{name} {n}" for name, n in counted["splits"].items())
    epochs = ", ".join(f"{name} {n}" for name, n in counted["epochs"].items())
    set_of = f"{counted['rows']:,} rows in {counted['shards']} shards; splits: {sizes}; epochs: {epochs}"
    return "\n\n".join(
        [
            f"Measured ({where}):\n\n" + _table(("constant", "value"), lines),
            "Requests for data that each task made, counted at a server; every task began with an empty disk "
            f"({set_of}):\n\n" + _table(("task", "requests"), requests),
        ]
    )


def _run(figures: dict[str, Any], network: str, asked: Scenario) -> str:
    rows = [
        (
            task.name,
            f"{task.pods}",
            f"{task.hours:.2f}" + (" GPU" if task.gpus else f" on {asked.cores} cores"),
            _size(task.data_bytes),
            f"{task.requests:,}",
            _size(task.memory),
            _size(task.disk),
        )
        for task in tasks(figures, network, asked)
    ]
    whole = totals(figures, network, asked)
    head = ("task", "pods", "hours of each", "bytes read by each", "requests of each", "memory", "disk")
    said = (
        f"In all: {whole['pods']} pods of tasks, {whole['gpu_hours']:,.0f} GPU hours, {whole['core_hours']:,.0f} core "
        f"hours, {whole['hours']:,.0f} hours from end to end with {asked.parallel} variants at a time; "
        f"{_size(whole['data_bytes'])} of rows in {whole['requests']:,} requests; "
        f"{_size(whole['artifact_bytes'])} of artifacts in {whole['artifact_requests']:,} requests."
    )
    return f"### {network}, {asked.n_variants} variants\n\n{_table(head, rows)}\n\n{said}"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [tuple(head), ("---",) * len(tuple(head)), *map(tuple, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _size(n_bytes: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if n_bytes < 1000:
            return f"{n_bytes:.3g} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:,.1f} TB"


if __name__ == "__main__":
    rewrite()
