"""One training of a step: watched, kept after every epoch, and continued where a killed one stopped."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from sentei.models import train
from sentei.models.ranks import this_rank
from sentei.models.state import TrainState
from sentei.steps.checkpoint import Checkpoint
from sentei.steps.examples import OpenUri, open_split, preprocessing_of
from sentei.steps.progress import tell, work
from sentei.steps.settings import training_settings


def fit(
    model: nn.Module,
    data: Mapping[str, Any],
    settings: Mapping[str, Any],
    seed: int,
    *,
    stage: str,
    subject: str,
    key: str,
    open_uri: OpenUri | None,
    masks: Mapping[str, Tensor] | None = None,
    teacher: nn.Module | None = None,
    further: Callable[[], Tensor] | None = None,
    kept: Callable[[Path], None] | None = None,
) -> dict[str, Any]:
    """Train a network on the plan's train split, in place.

    Args:
        model: The network.
        data: The plan's ``examples`` part.
        settings: Training settings, decimals as texts.
        seed: For shuffling, holdout and augmentation.
        stage: Whose training it is, as events name it.
        subject: Of which network.
        key: A digest of everything that determines the training; names its checkpoint.
        open_uri: Turns ``s3://`` and the like into a local path.
        masks: Weights that stay zero are False.
        teacher: The network to distil from.
        further: Asked after each forward pass for what joins the loss.
        kept: Told the folder of the state that was just kept after an epoch.

    Returns:
        The history as JSON values: ``epochs``, ``best_epoch``, ``stopped_early``.
    """
    rows = open_split(data, "train", open_uri)
    checkpoint = Checkpoint.for_key(key) if this_rank() == 0 else Checkpoint(None)  # the others learn from rank 0

    def on_epoch(state: TrainState) -> None:
        checkpoint.save(state)
        if kept is not None and checkpoint.folder is not None:
            kept(checkpoint.folder)
        tell("epoch", stage=stage, subject=subject, epoch=state.epoch, epochs=settings["epochs"])

    with work("train"):
        history = train(
            model,
            rows,
            preprocessing_of(data),
            training_settings(settings),
            seed,
            masks=masks,
            teacher=teacher,
            resume=checkpoint.load(),
            on_epoch=on_epoch,
            further=further,
        )
    checkpoint.remove()
    return history.to_dict()
