"""What torchrun starts on every node of a TrainJob: fetch the request, train with the others, hand the result back.

``python -m torch.distributed.run -m sentei.adapters.kubeflow.trainjob.node EXCHANGE REQUEST ATTEMPT``; how many
processes there are, and where they meet, Kubeflow Trainer tells torchrun in its environment (``PET_...``).
"""

import fcntl
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

from sentei.adapters.kubeflow.trainjob.exchange import Exchange
from sentei.adapters.uris import open_uri
from sentei.models.ranks import this_rank
from sentei.steps.checkpoint import Checkpoint
from sentei.steps.examples import open_split
from sentei.steps.together import Together
from sentei.steps.worker import telling, train_part


def main(place: str, request: str, attempt: str) -> None:
    """Train a request with the other nodes.

    Args:
        place: The exchange, ``s3://bucket/prefix/``.
        request: Digest of the request.
        attempt: Names this run of the job, for what its processes say when they fail.
    """
    exchange = Exchange.at(place, request)
    with telling(lambda facts: exchange.complain(attempt, facts)), TemporaryDirectory(prefix="sentei-") as folder:
        sent, back = _received(exchange), Path(folder) / "result"
        if this_rank():
            os.environ["SENTEI_EVENTS"] = os.devnull  # rank 0 speaks for all
        else:
            os.environ["SENTEI_CHECKPOINTS"] = str(Path(folder) / "states")
            kept = Checkpoint.for_key(Together.read(sent).key).folder
            assert kept is not None
            exchange.recall(kept)
        train_part(sent, back, open_uri, exchange.keep)
        if not this_rank():
            exchange.give(back)


def _received(exchange: Exchange) -> Path:
    """The request on this node's disk, fetched by the first of its processes, which prepares the rows as well."""
    folder = Path(gettempdir()) / f"sentei-request-{exchange.request[:32]}"
    os.environ.setdefault("SENTEI_CACHE", str(Path(gettempdir()) / "sentei-examples"))
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        exchange.receive(folder)
        open_split(Together.read(folder).data, "train", open_uri)
    return folder


if __name__ == "__main__":
    main(*sys.argv[1:])
