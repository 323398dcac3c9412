"""Where a training of several processes runs: in this pod, or as a TrainJob on several nodes."""

from importlib.util import find_spec
from pathlib import Path

from sentei.errors import ServiceError
from sentei.recipe.distributed import Distributed
from sentei.steps.torchrun import launch_here


def launch(sent: Path, back: Path, wanted: Distributed) -> None:
    """Have a request's folder trained, and the result's folder written.

    Args:
        sent: The request's folder.
        back: Where the result shall stand.
        wanted: How the processes are spread.

    Raises:
        SenteiError: What the first process to fail raised, or that the training could not be done.
    """
    if wanted.nodes == 1:
        launch_here(sent, back, wanted)
        return
    if find_spec("kubernetes") is None:
        raise ServiceError("training on several nodes needs the Kubernetes client: pip install 'sentei[cluster]'")
    from sentei.adapters.kubeflow.trainjob.running import launch_trainjob

    launch_trainjob(sent, back, wanted)
