"""Runs the compiled pipeline with ``kfp.local``, in a process of its own: kfp patches printing and logging.

``python -m sentei.adapters.kubeflow.runner RUN_FOLDER RUN_KEY WORKSPACE PARENT_PID PIPELINE`` is what ``sentei run``
starts.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from sentei.adapters.kubeflow.containers import Containers, arguments, hand_over, run_container, user
from sentei.adapters.kubeflow.workspace import LocalRun, Workspace
from sentei.errors import SenteiError, ServiceError
from sentei.steps import layout


def start(workspace: Workspace, run: LocalRun) -> "subprocess.Popen[bytes]":
    """Start the pipeline of a run; its output goes to the run's log."""
    command = [sys.executable, "-m", __name__, str(run.folder), run.key, str(workspace.root), str(os.getpid())]
    command.append(run.pipeline)
    with run.log.open("ab") as log:
        return subprocess.Popen(
            command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=workspace.environment(run)
        )


def main(folder: str, key: str, root: str, parent: str, name: str = "compress") -> None:
    """Run the pipeline, and write where its verdict and its bundle stand."""
    _die_with(int(parent))
    os.environ["SENTEI_RUNNER_PID"] = str(os.getpid())
    from kfp import components, local

    from sentei.adapters.kubeflow.package import local_image, shipped, with_image

    containers = Containers.read(Path(folder))
    image = containers.image if containers else local_image()
    pipeline = components.load_component_from_text(with_image(shipped(f"pipelines/{name}.yaml").read_text(), image))
    local.init(
        runner=_contained(containers, Path(root), Path(folder))
        if containers
        else local.SubprocessRunner(use_venv=False),
        pipeline_root=str(Path(root) / "pipeline"),
        enable_caching=True,
        cache_root=str(Path(root) / "tasks"),
    )
    recipe = (Path(folder) / "recipe.yaml").read_text(encoding="utf-8")
    try:
        task = pipeline(recipe=recipe, run_key=key)
    except RuntimeError:  # what kfp.local raises when a task has failed; the log names the cause
        _record_failure(key)
        raise
    for output, artifact in task.outputs.items():
        _require_written(output, artifact.path)
    outputs = {name: {"path": art.path, "facts": dict(art.metadata)} for name, art in task.outputs.items()}
    partial = Path(folder) / ".result.json"
    partial.write_text(json.dumps(outputs))
    os.replace(partial, Path(folder) / "result.json")


def _contained(containers: Containers, root: Path, folder: Path) -> Any:
    from kfp import local
    from kfp.local import docker_task_handler

    hand_over(root, folder)
    if user()[0] != os.getuid():
        os.umask(0)  # kfp makes folders in which another user's containers write; the workspace is closed to others
    docker_task_handler.run_docker_container = run_container
    return local.DockerRunner(**arguments(containers, root, os.environ))


def _require_written(name: str, path: str) -> None:
    """Nothing, if an output of the pipeline is there: that it ended well is only what kfp says."""
    if not (Path(path) / layout.MANIFEST).is_file():
        raise ServiceError(
            f"{name}: expected an artifact at {path}, found none, although every task was told to have ended well; "
            "look at the last task in the log, and start again"
        )


def _record_failure(key: str) -> None:
    from sentei.adapters.mlflow.tracking import fail_run

    with suppress(SenteiError):  # the pipeline's own error is the one to report
        fail_run(key)


def _die_with(parent: int) -> None:
    """Ask Linux to end this process when the command line that started it is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # 1 is PR_SET_PDEATHSIG
    if os.getppid() != parent:
        sys.exit(f"process {parent}, which started this run, ended before the run began")


if __name__ == "__main__":
    main(*sys.argv[1:])
