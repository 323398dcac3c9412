"""The one training loop: dense training, fine-tuning under masks, and distillation."""

from collections.abc import Callable, Mapping

import torch
from torch import nn

from sentei.data.preprocessing import Preprocessing
from sentei.data.table import Examples
from sentei.models.device import repeatable
from sentei.models.loop import Loop
from sentei.models.ranks import joined_ranks
from sentei.models.resumption import finish, release, restore, state_of
from sentei.models.settings import TrainSettings
from sentei.models.state import History, TrainState


def train(
    model: nn.Module,
    examples: Examples,
    preprocessing: Preprocessing,
    settings: TrainSettings,
    seed: int,
    *,
    masks: Mapping[str, torch.Tensor] | None = None,
    teacher: nn.Module | None = None,
    resume: TrainState | None = None,
    on_epoch: Callable[[TrainState], None] | None = None,
    further: Callable[[], torch.Tensor] | None = None,
) -> History:
    """The network has learned from these examples, and the history says how.

    Args:
        model: Changed in place; on the CPU and in eval mode when this returns.
        examples: The train split; held-out rows are carved out of it with the seed.
        preprocessing: From raw rows to what the network takes.
        settings: How to train.
        seed: Of the held-out rows, and with the epoch of shuffling, augmentation and dropout.
        masks: By parameter, True = keep: pruned weights are zero after every step and gather no momentum.
        teacher: Needed when ``settings.distil`` is above 0; it is only asked, in eval mode.
        resume: A state that ``on_epoch`` was given, to go on from; model and teacher as at the first start. That of
            rank 0 counts.
        on_epoch: Called after every epoch, on rank 0 only, with the state to save.
        further: Asked after each forward pass for what joins the loss beside the penalty of the settings: a scalar.

    Returns:
        One record for each epoch, those before the resumption included.

    Raises:
        ModelError: The loss is no longer a number, the inputs or the network do not suit the settings, or ``resume``
            belongs to another training.

    Guarantee:
        On one machine with one number of threads and of processes, equal arguments give equal weights bit for bit,
        and a resumed training equals an uninterrupted one bit for bit.

    Note:
        Under torchrun (``WORLD_SIZE`` > 1) every rank calls this with the same arguments, sees its own part of every
        batch, and ends with the same weights: those of one process but for rounding, and but for what dropout and
        augmentation draw, each rank for its own rows.
    """
    with repeatable(), joined_ranks() as ranks:
        loop = Loop(model, examples, preprocessing, settings, seed, ranks, masks or {}, teacher, further)
        try:
            if (state := ranks.first(resume)) is not None:
                restore(loop, state)
            for epoch in loop.remaining():
                loop.run_epoch(epoch)
                if on_epoch is not None and ranks.rank == 0:
                    on_epoch(state_of(loop))
            return finish(loop)
        finally:
            release(loop)
