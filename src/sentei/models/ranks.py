"""Several processes that train one network, as torchrun starts them; one process is the ordinary case."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import nn

from sentei.models.device import pick_device

T = TypeVar("T")


@dataclass(frozen=True)
class Ranks:
    """This process among all that train together.

    Attributes:
        rank: From 0; rank 0 speaks for all.
        n_ranks: How many processes there are.
        device: Where this one computes.
    """

    rank: int
    n_ranks: int
    device: torch.device

    def share(self, batch: torch.Tensor) -> torch.Tensor:
        """This rank's part of one batch; the parts of all ranks are the batch, and differ by one row at most.

        Args:
            batch: ``(n,)``, the same on all ranks.

        Returns:
            ``n // n_ranks`` rows, or one more.
        """
        return batch if self.n_ranks == 1 else torch.tensor_split(batch, self.n_ranks)[self.rank]

    def weigh(self, loss: torch.Tensor, n_part: int, n_batch: int) -> torch.Tensor:
        """What this rank has to learn from, so that the mean over the ranks is the mean over the whole batch.

        Args:
            loss: Mean over this rank's part; a scalar.
            n_part: Rows of the part.
            n_batch: Rows of the batch.

        Returns:
            The loss itself if there is one rank.
        """
        return loss if self.n_ranks == 1 else loss * (n_part * self.n_ranks / n_batch)

    def wrap(self, model: nn.Module) -> nn.Module:
        """The network with gradients averaged over the ranks.

        Args:
            model: On this rank's device, with the same weights everywhere.

        Returns:
            The network itself if there is one rank.
        """
        if self.n_ranks == 1:
            return model
        return nn.parallel.DistributedDataParallel(
            model,
            device_ids=[self.device.index] if self.device.type == "cuda" else None,
            find_unused_parameters=True,  # keeps the order of summation, so that a resumed training repeats bit for bit
        )

    def agree(self, tensors: list[torch.Tensor]) -> None:
        """All ranks hold rank 0's values from now on.

        Args:
            tensors: Changed in place on the other ranks; same number and shapes everywhere.
        """
        if self.n_ranks > 1:
            for tensor in tensors:
                dist.broadcast(tensor, src=0)

    def total(self, value: torch.Tensor) -> torch.Tensor:
        """The sum over the ranks, the same on all of them.

        Args:
            value: Changed in place.
        """
        if self.n_ranks > 1:
            dist.all_reduce(value)
        return value

    def first(self, value: T) -> T:
        """Rank 0's value, on all ranks.

        Args:
            value: Anything that can be pickled; looked at on rank 0 only.
        """
        if self.n_ranks == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0, device=self.device)
        return box[0]


def this_rank() -> int:
    """Number of this process among those that torchrun started; 0 where it is on its own."""
    return int(os.environ["RANK"]) if int(os.environ.get("WORLD_SIZE", "1")) > 1 else 0


@contextmanager
def joined_ranks() -> Iterator[Ranks]:
    """The ranks that torchrun's environment describes, connected for as long as the block runs.

    Yields:
        One rank on its own unless ``WORLD_SIZE`` is above 1; gloo connects processors, nccl accelerators.
    """
    n_ranks = int(os.environ.get("WORLD_SIZE", "1"))
    if n_ranks == 1:
        yield Ranks(0, 1, pick_device())
        return
    device = pick_device(int(os.environ.get("LOCAL_RANK", "0")))
    if device.type == "cuda":
        torch.cuda.set_device(device)
    opened = not dist.is_initialized()
    if opened:
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Ranks(dist.get_rank(), n_ranks, device)
    finally:
        if opened:
            dist.destroy_process_group()
