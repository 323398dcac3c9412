"""The rows that a criterion looks at."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from sentei.data.labels import Labels
from sentei.data.preprocessing import Preprocessing
from sentei.data.table import Inputs
from sentei.models.device import repeatable
from sentei.models.inference import in_eval_mode
from sentei.models.rows import near_equal_batches


@dataclass(frozen=True, eq=False)
class ScoringRows:
    """Rows of the scoring set, and how many of them a network reads at once.

    Attributes:
        inputs: Raw rows, ``(n, ...)`` uint8 or float32; at least one.
        labels: Classes ``(n,)`` int64, -1 where a row has none; or masks ``(n, height, width)`` uint8.
        preprocessing: From raw rows to what the network takes.
        batch_size: The most rows at once, at least 1. It bounds the memory; scores differ by rounding alone.

    Raises:
        ValueError: There are no rows, not as many labels as rows, or a batch is empty.
    """

    inputs: Inputs
    labels: Labels
    preprocessing: Preprocessing
    batch_size: int = 64

    def __post_init__(self) -> None:
        if not 0 < len(self.inputs) == len(self.labels) or self.batch_size < 1:
            raise ValueError(
                f"scoring rows: expected as many labels as inputs, at least one, and a batch of 1 or more; received "
                f"{len(self.inputs)} inputs, {len(self.labels)} labels and a batch of {self.batch_size}"
            )

    def __len__(self) -> int:
        return len(self.inputs)

    def batches(self, device: torch.device) -> Iterator[tuple[slice, torch.Tensor]]:
        """Every row once, in order: where the batch stands, and what the network reads.

        Args:
            device: Where the tensors shall be.

        Yields:
            A slice of the rows, and ``(batch, ...)`` float32.
        """
        for batch in near_equal_batches(torch.arange(len(self)), self.batch_size):
            part = slice(int(batch[0]), int(batch[-1]) + 1)
            yield part, torch.from_numpy(self.preprocessing.apply(self.inputs[part])).to(device)


@contextmanager
def questioned(model: nn.Module, seed: int = 0) -> Iterator[torch.device]:
    """The network in eval mode, deterministic, and apart from the global random numbers while the block runs.

    Args:
        model: Its modes come back after.
        seed: Of what a network draws even in eval mode.

    Yields:
        The device of the network.
    """
    with in_eval_mode(model), repeatable():
        torch.manual_seed(seed)
        yield next((parameter.device for parameter in model.parameters()), torch.device("cpu"))


def targets(labels: Labels, logits: torch.Tensor) -> torch.Tensor:
    """The labels of a batch; where a row has none, what the network itself finds most probable.

    Args:
        labels: Of the batch.
        logits: ``(n, n_classes)``, or ``(n, n_classes, height, width)``.

    Returns:
        ``(n,)`` int64, or ``(n, height, width)``.

    Raises:
        ValueError: One class per row meets logits per pixel; only rows that all lack a label may do so.
    """
    own = logits.detach().argmax(dim=1)
    given = torch.from_numpy(np.ascontiguousarray(labels)).to(logits.device)
    if given.dim() != 1:
        return given
    bare = given == -1
    if own.dim() == 1:
        return torch.where(bare, own, given)
    if not bool(bare.all()):
        raise ValueError(f"expected masks for logits of shape {tuple(logits.shape)}, received one class per row")
    return own
