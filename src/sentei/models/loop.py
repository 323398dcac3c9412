"""The inside of a training: its steps and its epochs."""

from collections.abc import Callable, Iterator, Mapping
from math import ceil

import torch
from torch import nn

from sentei.data.masks import IGNORED
from sentei.data.preprocessing import Preprocessing
from sentei.data.table import Examples
from sentei.errors import ModelError
from sentei.models.all_ranks import CommonStatistics
from sentei.models.augmentation import augment, augment_pairs
from sentei.models.device import computes_bfloat16, mixed_seed
from sentei.models.distillation import distillation_loss
from sentei.models.holdout import BestEpoch, carve, judge
from sentei.models.optimizers import make_optimizer, set_rate
from sentei.models.penalties import Penalty
from sentei.models.pruned import KeptZero
from sentei.models.ranks import Ranks
from sentei.models.rows import Rows, layout_of, near_equal_batches
from sentei.models.schedule import rate_factor
from sentei.models.settings import TrainSettings
from sentei.models.state import EpochRecord
from sentei.models.teaching import Teaching


class Loop:
    """One training between its first and its last epoch; `sentei.models.train` is the way in.

    Attributes:
        records: One for each epoch that has run.
        best: The best epoch so far, if rows are held out.
        step: Optimiser steps that are done.
    """

    def __init__(
        self,
        model: nn.Module,
        examples: Examples,
        preprocessing: Preprocessing,
        settings: TrainSettings,
        seed: int,
        ranks: Ranks,
        masks: Mapping[str, torch.Tensor],
        teacher: nn.Module | None,
        further: Callable[[], torch.Tensor] | None = None,
    ) -> None:
        _refuse_misfit(examples, settings)
        self.settings, self.seed, self.ranks = settings, seed, ranks
        layout = layout_of(model, examples.inputs.ndim)
        self.model = model.to(device=ranks.device, memory_format=layout)  # type: ignore[call-overload]  # torch's stub forgets this pair
        self.rows = Rows(examples.inputs, preprocessing, ranks.device, layout)
        self.labels = torch.from_numpy(examples.labels).to(ranks.device)
        self.train_rows, self.held_out = carve(len(examples), settings.holdout, mixed_seed(seed, "holdout"))
        self.steps_per_epoch = ceil(len(self.train_rows) / settings.batch_size)
        _refuse_idle_ranks(len(self.train_rows), self.steps_per_epoch, ranks.n_ranks)
        self.zero = KeptZero(self.model, masks)
        self.optimizer = make_optimizer(self.model, settings)
        self.penalty = Penalty(self.model, settings)
        self.further = further
        self.teaching = Teaching(teacher, settings, self.rows, self.labels, ranks.device)
        self.bfloat16 = ranks.first(computes_bfloat16(settings.precision, model, ranks.device))
        self.records: list[EpochRecord] = []
        self.best = BestEpoch()
        self.step = 0
        self.statistics = CommonStatistics(self.model, ranks.n_ranks)
        self.wrapped = ranks.wrap(self.model)

    def remaining(self) -> Iterator[int]:
        """The epochs still to run, counted from 1, until the last one or until patience ends."""
        while len(self.records) < self.settings.epochs and not self.stopped_early:
            yield len(self.records) + 1

    @property
    def stopped_early(self) -> bool:
        """Whether patience has ended before the last epoch."""
        return 0 < self.settings.patience <= self.best.n_since and len(self.records) < self.settings.epochs

    def run_epoch(self, epoch: int) -> None:
        """One pass over the rows in the order of (seed, epoch), and a look at the held-out rows.

        Args:
            epoch: Counted from 1.

        Raises:
            ModelError: The loss is no longer a number.
        """
        torch.manual_seed(mixed_seed(self.seed, "epoch", epoch))
        order = self.rows.order(self.train_rows)
        torch.manual_seed(mixed_seed(self.seed, "epoch", epoch, "rank", self.ranks.rank))
        self.wrapped.train()
        total = torch.zeros((), device=self.ranks.device)
        with self.rows.following(order):
            for batch in near_equal_batches(order.to(self.ranks.device), self.settings.batch_size):
                part = self.ranks.share(batch)
                total += self._take_step(part, len(batch)) * len(part)
        self._record(epoch, float(self.ranks.total(total)) / len(order))

    def _take_step(self, part: torch.Tensor, n_batch: int) -> torch.Tensor:
        """One step down the gradient of a batch of which this rank sees a part.

        The loss of the part stays on the device so that nothing waits for it.
        """
        loss = self._loss(part)
        self.optimizer.zero_grad()
        self.ranks.weigh(loss, len(part), n_batch).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self.zero.gradients()
        set_rate(self.optimizer, self._rate(self.step))
        self.optimizer.step()
        self.zero.weights()
        self.step += 1
        return loss.detach()

    def _rate(self, step: int) -> float:
        n_steps = self.settings.epochs * self.steps_per_epoch
        n_warmup = min(n_steps - 1, round(self.settings.warmup_epochs * self.steps_per_epoch))
        return self.settings.learning_rate * rate_factor(step, n_steps, n_warmup)

    def _loss(self, batch: torch.Tensor) -> torch.Tensor:
        inputs, labels = self._batch(batch)
        with torch.autocast(self.ranks.device.type, torch.bfloat16, enabled=self.bfloat16):
            student = self.wrapped(inputs)
            teacher = self.teaching.opinion(batch, inputs)
        learned = distillation_loss(
            student,
            labels,
            teacher,
            weight=self.settings.distil,
            temperature=self.settings.temperature,
            label_smoothing=self.settings.label_smoothing,
            counted=self._counted(labels),
        )
        return learned + self.penalty() + (self.further() if self.further else 0.0)

    def _counted(self, labels: torch.Tensor) -> torch.Tensor | None:
        """Of masks, the pixels that count in a part as large as this one, were they spread evenly over the ranks."""
        if labels.dim() == 1 or self.ranks.n_ranks == 1:
            return None
        sums = torch.stack([(labels != IGNORED).sum(), torch.tensor(len(labels), device=labels.device)]).float()
        n_counted, n_rows = self.ranks.total(sums).unbind()
        return n_counted * (len(labels) / n_rows)

    def _batch(self, batch: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Rows and labels as this epoch sees them."""
        inputs, labels = self.rows.at(batch), self.labels[batch]
        if labels.dim() == 3:
            return augment_pairs(inputs, labels, self.settings.augment)
        return augment(inputs, self.settings.augment), labels

    def _record(self, epoch: int, loss: float) -> None:
        """Closes an epoch: all ranks agree on the buffers and on what the held-out rows say."""
        self.ranks.agree(list(self.model.buffers()))
        if not torch.isfinite(torch.tensor(loss)):
            raise ModelError(f"training diverged: the loss of epoch {epoch} is {loss}; lower learning_rate")
        rate = self._rate(self.step - 1)
        if not len(self.held_out):
            self.records.append(EpochRecord(epoch, loss, rate))
            return
        verdict = judge(self.model, self.rows, self.labels, self.held_out.to(self.ranks.device))
        self.ranks.agree([verdict])
        error, held_out_loss = verdict.tolist()
        self.records.append(EpochRecord(epoch, loss, rate, held_out_loss, error))
        self.best.see(epoch, self.records[-1].verdict, self.model)


def _refuse_idle_ranks(n_rows: int, n_batches: int, n_ranks: int) -> None:
    """Nothing, if every rank has a row of every batch."""
    smallest = n_rows // max(1, n_batches)
    if smallest < n_ranks:
        raise ModelError(
            f"{n_rows} training rows make {n_batches} batches, the smallest of {smallest} rows; expected a row for "
            f"each of {n_ranks} processes; take fewer processes, or a larger batch_size"
        )


def _refuse_misfit(examples: Examples, settings: TrainSettings) -> None:
    """Nothing, if these rows can be learned in this way."""
    if settings.augment != "none" and examples.inputs.ndim != 4:
        raise ModelError(
            f"augment {settings.augment!r} takes images, received rows of shape {examples.inputs.shape[1:]}; "
            "set augment to 'none'"
        )
    if not examples.labelled and (settings.distil < 1 or settings.holdout):
        raise ModelError(
            "of rows without labels only a teacher's opinion can be learned: expected distil 1 and holdout 0, received "
            f"distil {settings.distil} and holdout {settings.holdout}; change these settings, or bring labels"
        )
