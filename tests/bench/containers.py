"""What a task costs as a process and as a container: the first time, from the cache, and after one variant has failed.

Both run the recipe ``digits`` with the same S3 and MLflow servers on this machine. A variant fails when its process or
its container is killed as its fine-tuning begins; what the same command then does again is what was wasted.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import boto3
import yaml

from components.image.build import build, size
from components.image.engine import engine
from sentei.adapters.kubeflow.package import n_tasks, recipe_text
from tests.bench.overhead import covered
from tests.bench.record import circumstances, keep, load
from tests.pipeline.place import Place, until
from tests.services.conftest import AWS, QUIET, free_port, served

SPARSITIES = [0.3, 0.6, 0.9]


def main() -> Path:
    """Measure both; the file with the figures."""
    before, started = load(), circumstances()
    with engine(), TemporaryDirectory() as folder, _servers(Path(folder)) as environment:
        image = build("cpu")
        ways = {"subprocess": (), "docker": ("--runner", "docker", "--image", image, "--network", "host")}
        figures: dict[str, Any] = {"image_bytes": size(image)}
        for name, options in ways.items():
            figures[name] = _measured(Path(folder) / name, options, environment)
    return keep("containers-digits", figures, {"recipe": 0}, before, started)


def _measured(folder: Path, options: tuple[str, ...], environment: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    places = [Place(folder / name, services=environment) for name in ("whole", "failing")]
    for place in places:
        place.folder.mkdir(parents=True)
        place.write_recipe("digits.yaml", _recipe(f"{folder.name}-{place.folder.name}"))
    whole, failing = places
    cold = _timed(whole, options)
    cached = _timed(whole, options)
    return {"cold": cold, "cached": cached, "after_one_failed_variant": _after_a_failure(failing, options)}


def _recipe(bucket: str) -> dict[str, Any]:
    recipe: dict[str, Any] = yaml.safe_load(recipe_text("digits"))
    recipe["family"]["grid"]["sparsity"] = SPARSITIES
    boto3.client("s3").create_bucket(Bucket=bucket)
    lasting = {"release": {"to": f"s3://{bucket}/releases"}, "ledger": {"at": f"s3://{bucket}/ledger"}}
    return {**recipe, **lasting, "name": bucket}


def _timed(place: Place, options: tuple[str, ...]) -> dict[str, Any]:
    told, begun = len(place.events()), time.monotonic()
    done = place.sentei("run", "digits.yaml", *options)
    wall = time.monotonic() - begun
    assert done.returncode == 0, done.stdout + done.stderr
    return _figures(place.events()[told:], wall)


def _figures(events: list[dict[str, Any]], wall: float) -> dict[str, Any]:
    """Seconds of a run, and what each task that ran has added to its work.

    Args:
        events: What its steps told.
        wall: Seconds from the command to its end.
    """
    work = covered((one["started"], one["at"]) for one in events if one["event"] == "work")
    n_run = sum(one["event"] == "begin" for one in events)
    scored = max((one["at"] for one in events if _is(one, "end", "score")), default=None)
    decided = min(one["at"] for one in events if _is(one, "begin", "calibrate"))
    figures = {
        "wall_s": round(wall, 2),
        "work_s": round(work, 2),
        "n_tasks": n_tasks(len(SPARSITIES)),
        "n_tasks_run": n_run,
        "overhead_per_task_run_s": round((wall - work) / n_run, 2),
    }
    return figures if scored is None else figures | {"per_variant_s": round((decided - scored) / len(SPARSITIES), 2)}


def _after_a_failure(place: Place, options: tuple[str, ...]) -> dict[str, Any]:
    started = place.start("run", "digits.yaml", *options)
    begun = until(lambda: [one for one in place.events() if _is(one, "begin", "finetune")], started)[0]
    _kill(begun, contained=bool(options))
    started.communicate()
    assert started.returncode != 0
    first = len(place.events())
    figures = _timed(place, options)
    again = [one for one in place.events()[first:] if one["event"] == "begin"]
    done = {(one["stage"], one["subject"]) for one in place.events()[:first] if one["event"] == "end"}
    repeated = sorted(one["stage"] for one in again if (one["stage"], one["subject"]) in done)
    return {**figures, "begun": [f"{one['stage']} {one['subject']}" for one in again], "done_twice": repeated}


def _kill(event: dict[str, Any], *, contained: bool) -> None:
    if not contained:
        os.kill(event["pid"], signal.SIGKILL)
        return
    listing = ["docker", "ps", "--no-trunc", "--format", "{{.ID}} {{.Command}}"]
    listed = subprocess.run(listing, check=True, capture_output=True, text=True).stdout.splitlines()
    (first, *_) = [line.split()[0] for line in listed if "def finetune(" in line or "execute finetune" in line]
    subprocess.run(["docker", "kill", first], check=True, capture_output=True)


def _is(event: dict[str, Any], kind: str, stage: str) -> bool:
    return bool(event["event"] == kind and event.get("stage", "").startswith(stage))


@contextmanager
def _servers(folder: Path) -> Iterator[tuple[tuple[str, str], ...]]:
    s3, mlflow = free_port(), free_port()
    endpoint, tracking = f"http://127.0.0.1:{s3}", f"http://127.0.0.1:{mlflow}"
    environment = {**AWS, "AWS_ENDPOINT_URL": endpoint, "MLFLOW_TRACKING_URI": tracking, "OMP_NUM_THREADS": "1"}
    os.environ.update(environment)
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(mlflow), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    with (
        served(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(s3)], endpoint, folder / "s3.log", AWS
        ),
        served(command, f"{tracking}/health", folder / "mlflow.log", QUIET),
    ):
        yield tuple(environment.items())
