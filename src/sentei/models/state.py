"""What training leaves behind: a history for people, and a state from which it goes on."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class EpochRecord:
    """One pass over the training rows.

    Attributes:
        epoch: Counted from 1.
        loss: Mean training loss over the epoch, while the weights moved.
        learning_rate: Of the epoch's last step.
        holdout_loss: Mean cross-entropy on the held-out rows; ``None`` without them.
        holdout_error: Share of the held-out rows that are wrong, or of their pixels; ``None`` without them.
    """

    epoch: int
    loss: float
    learning_rate: float
    holdout_loss: float | None = None
    holdout_error: float | None = None

    @property
    def verdict(self) -> tuple[float, float]:
        """What epochs are compared by: held-out error, then held-out loss; smaller is better."""
        if self.holdout_error is None or self.holdout_loss is None:
            return float("inf"), float("inf")
        return self.holdout_error, self.holdout_loss


@dataclass(frozen=True)
class History:
    """How a training went.

    Attributes:
        epochs: One record for each epoch that ran.
        best_epoch: The epoch whose weights the network carries; 0 if none ran.
        stopped_early: Whether patience ended it.
    """

    epochs: tuple[EpochRecord, ...]
    best_epoch: int
    stopped_early: bool

    def to_dict(self) -> dict[str, Any]:
        """The history as JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class TrainState:
    """Everything that training needs to go on after an epoch as if it had never stopped.

    Attributes:
        epoch: Epochs that are done.
        tensors: ``model/name``, ``best/name`` and ``optimizer/name/slot``; contiguous, on the CPU.
        facts: JSON values: seed, settings, records, the best epoch so far. Random numbers need no entry: those of
            an epoch come from the seed and the epoch alone.
    """

    epoch: int
    tensors: Mapping[str, torch.Tensor]
    facts: Mapping[str, Any]


def with_prefix(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Copies of these tensors, contiguous and on the CPU, under ``prefix/name``.

    Args:
        prefix: Without the slash.
        tensors: Left alone.

    Returns:
        Copies that share no memory with anything.
    """
    return {f"{prefix}/{name}": frozen(tensor) for name, tensor in tensors.items()}


def under_prefix(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors that stand under ``prefix/``, by the rest of their name.

    Args:
        prefix: Without the slash.
        tensors: As `with_prefix` names them.

    Returns:
        The tensors themselves, no copies.
    """
    return {
        name.removeprefix(f"{prefix}/"): tensor for name, tensor in tensors.items() if name.startswith(f"{prefix}/")
    }


def frozen(tensor: torch.Tensor) -> torch.Tensor:
    """A copy on the CPU in the plain memory format, as files want it.

    Args:
        tensor: Left alone.

    Returns:
        A copy.
    """
    return tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
