"""The folder in which local runs live: what a killed run had finished is found here by the next start."""

import fcntl
import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from sentei.certificate.canonical import sha256_hex
from sentei.errors import ServiceError
from sentei.steps.layout import sweep
from sentei.steps.runtime import sources_digest


@dataclass(frozen=True)
class LocalRun:
    """One run of a recipe on this machine.

    Attributes:
        key: Names the run, in MLflow too; a run started again after a kill keeps it.
        folder: Where its state, log, events and result stand.
        resumed: Whether an earlier start of the same run did not finish.
        pipeline: Which pipeline it is a run of.
    """

    key: str
    folder: Path
    resumed: bool
    pipeline: str = "compress"

    @property
    def log(self) -> Path:
        """Everything that the steps print."""
        return self.folder / "log.txt"

    @property
    def events(self) -> Path:
        """What the steps tell of their progress, one JSON line each."""
        return self.folder / "events.jsonl"

    @property
    def result(self) -> Path:
        """Where the verdict and the bundle stand, once the pipeline has ended."""
        return self.folder / "result.json"

    def finish(self) -> None:
        """Record that the run has ended well, so that the next start begins a new one."""
        _write(self.folder / "run.json", {**json.loads((self.folder / "run.json").read_text()), "state": "finished"})


@dataclass(frozen=True)
class Workspace:
    """A folder such as ``.sentei`` with the artifacts, caches and states of local runs."""

    root: Path

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other run out of this workspace; the lock vanishes with the process.

        Raises:
            ServiceError: Another run works here.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / "lock").open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise ServiceError(
                    f"{self.root}: another sentei run works here; wait for it, or give this one its own --workspace"
                ) from error
            sweep(self.root)
            yield

    def begin(
        self, name: str, text: str, *, new: bool = False, pipeline: str = "compress", image: str = ""
    ) -> LocalRun:
        """The last run of this recipe and this code if it did not finish, or a new one.

        Args:
            name: Name of the recipe.
            text: Its YAML.
            new: Begin a new run in any case.
            pipeline: The pipeline to run.
            image: The image that its tasks run in, by content; empty where they are processes.

        Raises:
            ServiceError: Kubeflow Pipelines or MLflow is not installed.
        """
        _require_pipelines()
        which = "" if pipeline == "compress" else f"{pipeline}\n"
        recipe = sha256_hex(f"{which}{sources_digest()}\n{image}{text}".encode())
        for state in sorted(self.root.glob("runs/*/run.json"), reverse=True):
            facts = json.loads(state.read_text())
            if facts["recipe"] == recipe and not new:
                if facts["state"] == "running":
                    return LocalRun(state.parent.name, state.parent, resumed=True, pipeline=pipeline)
                break  # what an earlier one left unfinished, this one has superseded
        prefix = name if pipeline == "compress" else f"{name}-{pipeline}"
        key = f"{prefix}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(3)}"
        folder = self.root / "runs" / key
        folder.mkdir(parents=True)
        (folder / "recipe.yaml").write_text(text, encoding="utf-8")
        _write(folder / "run.json", {"recipe": recipe, "state": "running"})
        return LocalRun(key, folder, resumed=False, pipeline=pipeline)

    def environment(self, run: LocalRun) -> dict[str, str]:
        """What the steps of a run find in their environment."""
        return {
            **os.environ,
            "SENTEI_CACHE": os.environ.get("SENTEI_CACHE", str(self.root / "examples")),
            "SENTEI_CHECKPOINTS": str(self.root / "checkpoints"),
            "SENTEI_EVENTS": str(run.events),
            "SENTEI_SIDE_BY_SIDE": "2",  # kfp.local runs at most two tasks of a loop at once
            "PYTHONUNBUFFERED": "1",
            "OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", "PASSIVE"),  # waiting threads leave the core to others
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "GIT_PYTHON_REFRESH": "quiet",
        }


def _require_pipelines() -> None:
    missing = [name for name in ("kfp", "mlflow") if find_spec(name) is None]
    if missing:
        raise ServiceError(f"running pipelines needs {' and '.join(missing)}: pip install 'sentei[pipelines]'")


def _write(path: Path, value: dict[str, str]) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    with partial.open("w") as file:
        json.dump(value, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)
