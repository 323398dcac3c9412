"""Rows held out of training, and the epoch that did best on them."""

from dataclasses import dataclass, field

import torch
from torch import nn

from sentei.data.masks import IGNORED
from sentei.errors import ModelError
from sentei.models.distillation import by_pixel, cross_entropy
from sentei.models.inference import in_eval_mode
from sentei.models.rows import Rows, near_equal_batches, rows_at_once

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
        labels: All labels, ``(n,)``, or masks ``(n, height, width)``.
        held_out: Indices of the rows to judge by; at least one.

    Returns:
        Two numbers: the share of wrong rows, or pixels, and their mean cross-entropy in nats.
    """
    batches = near_equal_batches(held_out, rows_at_once(labels, BATCH))
    with in_eval_mode(model), torch.no_grad():
        if labels.dim() == 3:
            return _judge_masks(model, rows, labels, batches)
        logits = torch.cat([model(rows.at(batch)).float() for batch in batches])
    truth = labels[held_out]
    wrong = (logits.argmax(dim=1) != truth).float().mean()
    return torch.stack([wrong, cross_entropy(logits, truth)])


def _judge_masks(model: nn.Module, rows: Rows, masks: torch.Tensor, batches: tuple[torch.Tensor, ...]) -> torch.Tensor:
    """Batch by batch, because what is said of every pixel of all rows may not fit into memory."""
    totals, n_pixels = torch.zeros(2, dtype=torch.float64, device=masks.device), torch.zeros((), device=masks.device)
    for batch in batches:
        logits, truth = by_pixel(model(rows.at(batch)).float()), masks[batch]
        counted = (truth != IGNORED).flatten()
        n_counted = counted.sum()
        wrong = (logits.argmax(dim=1) != truth.flatten()) & counted
        totals += torch.stack([wrong.sum(), cross_entropy(logits, truth) * n_counted])
        n_pixels += n_counted
    return (totals / n_pixels.clamp(min=1)).float()


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
