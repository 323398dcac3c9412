"""The teacher's part in distillation: its logits for the rows of a batch."""

import torch
from torch import nn

from sentei.errors import ModelError
from sentei.models.inference import in_eval_mode
from sentei.models.rows import FITS, Rows, near_equal_batches, rows_at_once
from sentei.models.settings import TrainSettings

BATCH = 1024


class Teaching:
    """What the teacher thinks of every row.

    Without augmentation a row always looks the same, so the teacher is asked once about all of them, if the rows and
    what it says of them fit into memory.

    Args:
        teacher: Moved to the rows' device; its mode stays as it is. ``None`` only if nothing is distilled.
        settings: ``distil`` and ``augment``.
        rows: All rows of the training.
        labels: Of all rows; they say how much a teacher says of a row.
        device: Where to compute.

    Raises:
        ModelError: Something is to be distilled and there is no teacher.
    """

    def __init__(
        self,
        teacher: nn.Module | None,
        settings: TrainSettings,
        rows: Rows,
        labels: torch.Tensor,
        device: torch.device,
    ) -> None:
        if settings.distil > 0 and teacher is None:
            raise ModelError(f"distil is {settings.distil} and no teacher was given; give one or set distil to 0")
        self._teacher = teacher.to(device) if teacher is not None and settings.distil > 0 else None
        self._known: torch.Tensor | None = None
        if self._teacher is not None and settings.augment == "none" and rows.parts_at_once is None:
            batches = near_equal_batches(torch.arange(len(rows), device=device), rows_at_once(labels, BATCH))
            first = self._ask(rows.at(batches[0]))
            if labels.dim() == 1 or first[0].numel() * 4 * len(rows) <= FITS:
                self._known = torch.cat([first, *(self._ask(rows.at(batch)) for batch in batches[1:])])

    def opinion(self, batch: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor | None:
        """The teacher's logits for one batch.

        Args:
            batch: Indices of the rows.
            inputs: The rows as the student sees them.

        Returns:
            Without gradient, in the student's shape; ``None`` if nothing is distilled.
        """
        if self._teacher is None:
            return None
        return self._ask(inputs) if self._known is None else self._known[batch]

    @torch.no_grad()
    def _ask(self, inputs: torch.Tensor) -> torch.Tensor:
        assert self._teacher is not None
        with in_eval_mode(self._teacher):
            logits: torch.Tensor = self._teacher(inputs)
        return logits
