"""What each of several processes does: ``python -m sentei.steps.worker REQUEST RESULT``, started by torchrun."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from sentei import errors
from sentei.models import Architecture, build
from sentei.models.ranks import joined_ranks, this_rank
from sentei.steps import layout
from sentei.steps.examples import OpenUri
from sentei.steps.fitting import fit
from sentei.steps.networks import read_masks, read_network
from sentei.steps.progress import end_with_the_run
from sentei.steps.runtime import threads
from sentei.steps.together import Together, write_result


def train_part(
    sent: Path, back: Path, open_uri: OpenUri | None = None, kept: Callable[[Path], None] | None = None
) -> None:
    """Train with the other ranks; rank 0 writes the result.

    Args:
        sent: The request's folder.
        back: Where the result shall stand.
        open_uri: Turns ``s3://`` and the like into a local path.
        kept: Told on rank 0, after each epoch, the folder of the state that was kept.

    Raises:
        ServiceError: This node has not the devices that were asked for.
    """
    request = Together.read(sent)
    _require_devices(request.gpus_per_node)
    torch.set_num_threads(max(1, threads(shared=True) // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))))
    torch.set_deterministic_debug_mode("error")  # the other switch imports torch's compiler first, for seconds
    with joined_ranks() as ranks:
        if ranks.n_ranks != request.n_processes:
            raise errors.ServiceError(
                f"expected {request.n_processes} processes to train together, {ranks.n_ranks} were started; correct "
                "the training runtime, which may set numNodes and numProcPerNode but not change them"
            )
        model, others = _network(request)
        history = fit(
            model,
            request.data,
            request.settings,
            request.seed,
            stage=request.stage,
            subject=request.subject,
            key=request.key,
            open_uri=open_uri,
            kept=kept,
            **others,
        )
        if ranks.rank == 0:
            write_result(back, model, history, layout.read_manifest(sent).digest)


@contextmanager
def telling(tell: Callable[[Mapping[str, Any]], None]) -> Iterator[None]:
    """Tell why this process fails, as far as it can, and end it."""
    try:
        yield
    except Exception as error:  # whatever it is, the process that started this one has to learn of it
        tell({"class": type(error).__name__, "message": str(error), "rank": this_rank(), "at": time.time()})
        raise


def failure(told: Sequence[Mapping[str, Any]], n_processes: int) -> errors.SenteiError | None:
    """What was told first by a process that knew why, as the error that it was there; None if nothing was told.

    Args:
        told: What `telling` told, from all processes.
        n_processes: How many there were.
    """
    known = {one.__name__: one for one in errors.SenteiError.__subclasses__()}
    for one in sorted(told, key=lambda one: (one["class"] not in known, one["at"])):
        if one["class"] in known:
            return known[one["class"]](one["message"])
        return errors.ServiceError(
            f"rank {one['rank']} of {n_processes} processes that train together ended with {one['class']}: "
            f"{one['message']}; {n_processes - len(told)} ended without a word, as one does that is killed because "
            "memory is short; all were ended: look at the log and at the pod's limits"
        )
    return None


def _network(request: Together) -> tuple[nn.Module, dict[str, Any]]:
    if request.dense:
        return build(Architecture.from_dict(request.dense["architecture"]), seed=request.dense["seed"]), {}
    pruned, dense = request.made["pruned"], request.made["dense"]
    return read_network(pruned), {"masks": read_masks(pruned), "teacher": read_network(dense)}


def _require_devices(gpus_per_node: int) -> None:
    there = torch.cuda.device_count()
    if there < gpus_per_node:
        raise errors.ServiceError(
            f"distributed.gpus_per_node is {gpus_per_node}, this node has {there}; give the step as many accelerators, "
            "or ask for fewer"
        )


def main(sent: str, back: str) -> None:
    """Train, and leave ``RESULT.failure-RANK.json`` where that fails."""
    end_with_the_run()
    if this_rank():
        os.environ["SENTEI_EVENTS"] = os.devnull  # rank 0 speaks for all
    note = Path(f"{back}.failure-{this_rank()}.json")

    def tell(facts: Mapping[str, Any]) -> None:
        note.write_text(json.dumps(facts))

    with telling(tell):
        train_part(Path(sent), Path(back))  # rows come from the cache, where the step put them


if __name__ == "__main__":
    main(*sys.argv[1:])
