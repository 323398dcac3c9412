"""A folder in which ``sentei`` is used as people use it: as a process, on a recipe and rows that lie there."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

ROWS = "rows.npz"
RECIPE = {
    "name": "tiny",
    "data": {
        "source": "npz",
        "path": ROWS,
        "splits": {"train": "rest", "scoring": 100, "selection": 300, "calibration": 600, "test": 200},
    },
    "model": {"architecture": "mlp", "kwargs": {"hidden": [16]}},
    "train": {"epochs": 12, "learning_rate": 0.05, "batch_size": 16},
    "family": {"variants": [{"sparsity": 0.3}, {"sparsity": 0.5, "finetune": 1}, {"sparsity": 0.95}]},
    "claim": {"kind": "accuracy_drop", "epsilon": 0.1, "delta": 0.05},
    "release": {"to": "released"},
}
HOPELESS = RECIPE | {
    "family": {"variants": [{"sparsity": 0.97}]},
    "claim": {"kind": "accuracy_drop", "epsilon": 0, "delta": 0.05},
}
VARIANTS = ("magnitude-l1-global-0.30", "magnitude-l1-global-0.50-ft1", "magnitude-l1-global-0.95")
MODEL = "sentei-tiny"


@dataclass(frozen=True)
class Place:
    """One working directory, with its own runs, MLflow database and releases.

    Attributes:
        folder: The directory.
        program: What ``sentei`` is there.
        services: Variables that name the servers to use; otherwise none are.
    """

    folder: Path
    program: tuple[str, ...] = (sys.executable, "-m", "sentei.cli")
    services: tuple[tuple[str, str], ...] = ()

    def _environment(self) -> dict[str, str]:
        foreign = ("SENTEI_", "MLFLOW_TRACKING", "MLFLOW_RUN", "MLFLOW_EXPERIMENT", "COLUMNS")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        return {**kept, **dict(self.services)}

    def write_recipe(self, name: str, recipe: dict[str, Any]) -> None:
        (self.folder / name).write_text(yaml.safe_dump(recipe, sort_keys=False))

    def write_rows(self) -> None:
        from sentei.sources.digits import read_digits

        table = read_digits()
        np.savez(self.folder / ROWS, inputs=table.inputs, labels=table.labels)

    def sentei(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [*self.program, *arguments]
        return subprocess.run(command, cwd=self.folder, env=self._environment(), capture_output=True, text=True)

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """The same without waiting, as the leader of a process group, as a shell starts it."""
        return subprocess.Popen(
            [*self.program, *arguments],
            cwd=self.folder,
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def events(self) -> list[dict[str, Any]]:
        """What the steps of every run have told, oldest first."""
        texts = [path.read_text() for path in sorted(self.folder.glob(".sentei/runs/*/events.jsonl"))]
        lines = [line for text in texts for line in text.splitlines(keepends=True) if line.endswith("\n")]
        return [json.loads(line) for line in lines]

    def verdict(self, recipe: str) -> Path:
        """What the newest finished run of a recipe decided."""
        text = (self.folder / recipe).read_text()
        runs = [path.parent for path in self.folder.glob(".sentei/runs/*/result.json")]
        of_recipe = [run / "result.json" for run in runs if (run / "recipe.yaml").read_text() == text]
        newest = max(of_recipe, key=lambda path: path.stat().st_mtime)
        return Path(json.loads(newest.read_text())["verdict"]["path"])

    def findings(self) -> dict[str, Any]:
        """Everything that must be the same wherever and however ``tiny.yaml`` is run."""
        verdict = self.verdict("tiny.yaml")
        manifest = json.loads((verdict / "manifest.json").read_text())
        record = json.loads((verdict / "certificate.json").read_text())
        made = {role: digest for role, digest in manifest["inputs"].items() if role != "reference"}
        return {"rows": record["data"], "made": made, "tests": record["procedure"], "variant": record["variant"]}

    def released(self) -> list[Path]:
        return sorted((self.folder / "released").iterdir())

    def half_written(self) -> list[Path]:
        return list(self.folder.rglob("*.partial-*"))

    def ask(self, question: str) -> list[Any]:
        """Rows of the MLflow database, read beside MLflow."""
        uri = f"file:{self.folder / 'mlflow.db'}?mode=ro"
        with sqlite3.connect(uri, uri=True, timeout=30) as database:
            return database.execute(question).fetchall()


def running(group: int) -> list[int]:
    """Processes of a group that still run; a zombie does not."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, its_group = stat.read_text().rpartition(")")[2].split()[:3]
        except (OSError, ValueError):
            continue
        if int(its_group) == group and state != "Z":
            found.append(int(stat.parent.name))
    return found


def until(happened: Callable[[], Any], process: "subprocess.Popen[str]") -> Any:
    """What ``happened`` returns once that is true; the process must not end before."""
    while not (found := happened()):
        try:
            process.wait(0.01)
        except subprocess.TimeoutExpired:
            continue
        raise AssertionError(f"ended with {process.returncode} before it happened:\n{process.communicate()[0]}")
    return found


def ended(group: int, process: "subprocess.Popen[str]") -> str:
    """What a killed run printed, once every process of its group has ended by itself."""
    text = process.communicate()[0]
    for _ in _patience():
        if not running(group):
            return text
    raise AssertionError(f"still running: {running(group)}")


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def kill_group(group: int) -> None:
    os.killpg(group, signal.SIGKILL)


def key_of(output: str) -> str:
    """The key of the run that this output is about."""
    found = re.search(r"^(?:run|continuing) ([\w-]+);", output, re.MULTILINE)
    assert found, output
    return found[1]


def _patience() -> Iterator[int]:
    """Ten seconds in small pieces; a step looks for its run five times a second, and imports may hold it up."""
    import threading

    pause = threading.Event()
    for turn in range(1000):
        yield turn
        pause.wait(0.01)
