"""Rows held out of training, and the epoch that did best on them."""

from dataclasses import dataclass, field

import torch
from torch import nn
from torch.nn import functional as F

from sentei.errors import ModelError
from sentei.models.inference import in_eval_mode
from sentei.models.rows import Rows, near_equal_batches

BATCH = 1024


def carve(n_rows: int, n_held_out: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The rows to learn from and the rows to judge by.

    Args:
        n_rows: Rows there are.
        n_held_out: Rows to judge by; less than ``n_rows``.
        seed: Of the draw.

    Returns:
        Two ascending index tensors that share no row.

    Raises:
        ModelError: Nothing would be left to learn from.
    """
    if n_held_out >= n_rows:
        raise ModelError(f"holdout {n_held_out} leaves nothing of {n_rows} training rows; hold out fewer")
    order = torch.randperm(n_rows, generator=torch.Generator().manual_seed(seed))
    return order[n_held_out:].sort().values, order[:n_held_out].sort().values


def judge(model: nn.Module, rows: Rows, labels: torch.Tensor, held_out: torch.Tensor) -> torch.Tensor:
    """How well the network does on the held-out rows, in eval mode and float32.

    Args:
        model: Only asked.
        rows: All rows.
        labels: All labels, ``(n,)``.
        held_out: Indices of the rows to judge by; at least one.

    Returns:
        Two numbers: the share of wrong rows, and the mean cross-entropy in nats.
    """
    with in_eval_mode(model), torch.no_grad():
        logits = torch.cat([model(rows.at(batch)).float() for batch in near_equal_batches(held_out, BATCH)])
    truth = labels[held_out]
    wrong = (logits.argmax(dim=1) != truth).float().mean()
    return torch.stack([wrong, F.cross_entropy(logits, truth)])


@dataclass
class BestEpoch:
    """The best epoch so far: fewest held-out errors, then least held-out loss, then the earliest.

    Attributes:
        epoch: Counted from 1; 0 before the first.
        verdict: Its share of wrong rows and its loss.
        n_since: Epochs that ran after it.
        tensors: Its whole state, by name.
    """

    epoch: int = 0
    verdict: tuple[float, float] = (float("inf"), float("inf"))
    n_since: int = 0
    tensors: dict[str, torch.Tensor] = field(default_factory=dict)

    def see(self, epoch: int, verdict: tuple[float, float], model: nn.Module) -> None:
        """One more epoch has run.

        Args:
            epoch: Counted from 1.
            verdict: Share of wrong rows and loss on the held-out rows.
            model: Its state is copied if this is the best epoch.
        """
        self.n_since += 1
        if verdict < self.verdict:
            self.epoch, self.verdict, self.n_since = epoch, verdict, 0
            self.tensors = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
