"""What the framework costs: the wall time of ``sentei run`` less the time in which a step did its work.

Work is training, inference, pruning, scoring, export and the measuring of latency, as the steps tell it. The rest is
overhead: starting processes, imports, reading data, the orchestration, artifacts and their digests, and MLflow.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from sentei.adapters.kubeflow.package import recipe_text
from tests.bench.record import keep, load

Interval = tuple[float, float]
Process = tuple[str, int]


def main(recipe: str) -> Path:
    """Run a recipe once in an empty folder; the file with the figures."""
    before = load()
    with TemporaryDirectory() as folder:
        begun = time.time()
        command = [str(Path(sys.executable).with_name("sentei")), "run", recipe]
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        ended = time.time()
        (events,) = Path(folder).glob(".sentei/runs/*/events.jsonl")
        told = [json.loads(line) for line in events.read_text().splitlines()]
    settings = yaml.safe_load(recipe_text(recipe))
    return keep(f"overhead-{settings['name']}", figures(told, begun, ended), {"recipe": settings["seed"]}, before)


def figures(events: list[dict[str, Any]], begun: float, ended: float) -> dict[str, Any]:
    """Wall time, work and overhead, of the whole run and within each stage.

    Args:
        events: What the steps told.
        begun: When the run was started, in seconds since the epoch.
        ended: When it had ended.
    """
    work = {pid: [(one["started"], one["at"]) for one in _of(events, pid, "work")] for pid in _pids(events)}
    spans = {pid: _span(events, pid) for pid in work}
    stages = {name: [pid for pid, (its, _) in spans.items() if its == name] for name, _ in spans.values()}
    inside = covered(span for _, span in spans.values())
    return {
        **_share(ended - begun, covered(one for ones in work.values() for one in ones)),
        "outside_of_stages_s": round(ended - begun - inside, 3),
        "stages": {
            name: {
                "n_tasks": len(pids),
                **_share(
                    covered(spans[pid][1] for pid in pids),
                    covered(one for pid in pids for one in work[pid]),
                ),
            }
            for name, pids in stages.items()
        },
    }


def covered(intervals: Iterable[Interval]) -> float:
    """Seconds that lie in at least one interval.

    Example:
        >>> covered([(0, 2), (1, 3), (5, 6)])
        4.0
    """
    total, reached = 0.0, float("-inf")
    for start, end in sorted(intervals):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total


def _share(wall: float, work: float) -> dict[str, float]:
    overhead = wall - work
    parts = {"wall_s": wall, "work_s": work, "overhead_s": overhead, "overhead_share": overhead / wall}
    return {name: round(value, 3) for name, value in parts.items()}


def _pids(events: list[dict[str, Any]]) -> list[Process]:
    return list(dict.fromkeys((one["host"], one["pid"]) for one in events))


def _of(events: list[dict[str, Any]], pid: Process, event: str) -> list[dict[str, Any]]:
    return [one for one in events if (one["host"], one["pid"]) == pid and one["event"] == event]


def _span(events: list[dict[str, Any]], pid: Process) -> tuple[str, Interval]:
    """The stage of one step's process, and from when to when it was in it."""
    (begin,), (end,) = _of(events, pid, "begin"), _of(events, pid, "end")
    return begin["stage"], (begin["at"], end["at"])
