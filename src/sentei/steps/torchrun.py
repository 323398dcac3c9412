"""Several processes on this machine: torchrun starts them, and ends all when one fails."""

import json
import os
import subprocess
import sys
from pathlib import Path

from sentei.errors import ServiceError
from sentei.recipe.distributed import Distributed
from sentei.steps.worker import failure

_PATIENCE = 30
"""Seconds in which torchrun ends its processes when it is asked to."""


def launch_here(sent: Path, back: Path, wanted: Distributed) -> None:
    """Have a request trained by the processes of one node, here.

    Args:
        sent: The request's folder.
        back: Where the result shall stand.
        wanted: How many processes, and for how long.

    Raises:
        ServiceError: More than one node is asked for, a process ended without a word, or time is up.
        SenteiError: What the first process to fail raised.
    """
    if wanted.nodes > 1:
        raise ServiceError(
            f"distributed.nodes is {wanted.nodes}: expected a cluster with Kubeflow Trainer, this process trains on "
            "its own machine only; run the step as a component, or set nodes to 1"
        )
    code = _run(_command(sent, back, wanted.n_per_node), _environment(wanted), wanted.time_limit_minutes)
    if code == 0:
        return
    told = [json.loads(note.read_text()) for note in back.parent.glob(f"{back.name}.failure-*.json")]
    raise failure(told, wanted.n_processes) or ServiceError(
        f"{wanted.n_processes} processes that train together: one was ended from outside before it could say why "
        f"(torchrun ended with {code}); often memory is short: look at the log and at the pod's limits"
    )


def _command(sent: Path, back: Path, n_processes: int) -> list[str]:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={n_processes}"]
    return [*torchrun, "-m", "sentei.steps.worker", str(sent), str(back)]


def _environment(wanted: Distributed) -> dict[str, str]:
    env = {**os.environ, "SENTEI_RUNNER_PID": str(os.getpid()), "OMP_NUM_THREADS": "1"}
    return env if wanted.gpus_per_node else {**env, "CUDA_VISIBLE_DEVICES": ""}


def _run(command: list[str], env: dict[str, str], limit_minutes: float) -> int:
    with subprocess.Popen(command, env=env) as process:
        try:
            return process.wait(limit_minutes * 60)
        except subprocess.TimeoutExpired as error:
            raise ServiceError(
                f"the training was not done after {limit_minutes} minutes and was ended; raise "
                "distributed.time_limit_minutes: it goes on from its last epoch where checkpoints are kept"
            ) from error
        finally:
            _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.terminate()  # torchrun passes it on to its processes
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
