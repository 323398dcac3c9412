"""A figure with what it depends on: commit, date, machine, versions and seeds."""

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
RESULTS = Path(__file__).with_name("results")
PACKAGES = ("sentei", "numpy", "scipy", "torch", "onnxruntime", "kfp", "mlflow")


def keep(
    name: str,
    figures: dict[str, Any],
    seeds: dict[str, int],
    load_before: float,
    started: dict[str, Any] | None = None,
) -> Path:
    """Write one benchmark's figures to ``results/<name>.json``, with their circumstances.

    Args:
        name: Names the file.
        figures: What was measured; units end the names.
        seeds: Every seed that was used, by purpose.
        load_before: Load average over one minute before the benchmark; above 0 the machine was not its own.
        started: Circumstances when a long benchmark began; those at its end if None.
    """
    record = {"benchmark": name, **(started or circumstances()), "load_before": round(load_before, 2), "seeds": seeds}
    path = RESULTS / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(record | {"figures": figures}, indent=2) + "\n")
    return path


def chosen(parts: dict[str, T], only: str) -> dict[str, T]:
    """The parts of a benchmark whose names hold a text; all of them for an empty one.

    Raises:
        SystemExit: There is none of that name.
    """
    found = {name: part for name, part in parts.items() if only in name}
    if not found:
        raise SystemExit(f"--only {only}: expected a part of one of these names: {'; '.join(parts)}")
    return found


def kept(name: str) -> dict[str, Any]:
    """What `keep` wrote last for a benchmark.

    Raises:
        FileNotFoundError: It was never run.
    """
    record: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text())
    return record


def circumstances(*peers: str) -> dict[str, Any]:
    """Commit, date, hardware and versions, now; those of packages that are compared with, too."""
    return {
        "commit": _git("rev-parse", "HEAD"),
        "uncommitted_changes": bool(_git("status", "--porcelain", "--", "src", "components", "pipelines")),
        "date": datetime.now(tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "hardware": {"cpu": _cpu(), "cores": os.cpu_count(), "system": f"{platform.system()} {platform.machine()}"},
        "versions": {"python": platform.python_version(), **{name: version(name) for name in (*PACKAGES, *peers)}},
    }


def load() -> float:
    """Load average over the last minute."""
    return os.getloadavg()[0]


def _git(*arguments: str) -> str:
    here = Path(__file__).parents[2]
    return subprocess.run(["git", *arguments], cwd=here, capture_output=True, text=True).stdout.strip()


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
