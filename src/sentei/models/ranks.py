"""Several processes that train one network, as torchrun starts them; one process is the ordinary case."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import nn

from sentei.models.device import pick_device


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

    def share(self, order: torch.Tensor) -> torch.Tensor:
        """This rank's part of the row order; parts are disjoint and equally long.

        Args:
            order: ``(n,)``, the same on all ranks; up to ``n_ranks - 1`` rows at its end are left out.

        Returns:
            ``(n // n_ranks,)``.
        """
        n_each = len(order) // self.n_ranks
        return order[: n_each * self.n_ranks].view(n_each, self.n_ranks)[:, self.rank]

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
            model, device_ids=[self.device.index] if self.device.type == "cuda" else None
        )

    def agree(self, tensors: list[torch.Tensor]) -> None:
        """All ranks hold rank 0's values from now on.

        Args:
            tensors: Changed in place on the other ranks; same number and shapes everywhere.
        """
        if self.n_ranks > 1:
            for tensor in tensors:
                dist.broadcast(tensor, src=0)

    def mean(self, value: torch.Tensor) -> torch.Tensor:
        """The mean of one number over the ranks.

        Args:
            value: A scalar; changed in place.

        Returns:
            The mean, the same on all ranks.
        """
        if self.n_ranks > 1:
            dist.all_reduce(value)
            value /= self.n_ranks
        return value


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
    opened = not dist.is_initialized()
    if opened:
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Ranks(dist.get_rank(), n_ranks, device)
    finally:
        if opened:
            dist.destroy_process_group()
