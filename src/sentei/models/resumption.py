"""Between a training and the state that is saved of it."""

from dataclasses import asdict
from typing import Any

import torch

from sentei.errors import ModelError
from sentei.models.loop import Loop
from sentei.models.matching import match_state
from sentei.models.optimizers import memory_of, remind
from sentei.models.state import EpochRecord, History, TrainState, under_prefix, with_prefix


def state_of(loop: Loop) -> TrainState:
    """The state of a training after its latest epoch.

    Args:
        loop: Only read.

    Returns:
        Copies; the training may go on.
    """
    tensors = with_prefix("model", loop.model.state_dict())
    tensors |= with_prefix("optimizer", memory_of(loop.optimizer))
    tensors |= with_prefix("best", loop.best.tensors)
    facts = {
        "of": _identity(loop),
        "step": loop.step,
        "records": [asdict(record) for record in loop.records],
        "best": {"epoch": loop.best.epoch, "n_since": loop.best.n_since},
    }
    return TrainState(len(loop.records), tensors, facts)


def restore(loop: Loop, state: TrainState) -> None:
    """The training stands where the state was taken.

    Args:
        loop: A training with the same arguments; changed in place.
        state: What `state_of` gave.

    Raises:
        ModelError: The state belongs to a training with other arguments.
    """
    if state.facts["of"] != _identity(loop):
        raise ModelError(
            f"the saved state belongs to the training {state.facts['of']}, this one is {_identity(loop)}; "
            "resume with the same arguments, or start anew"
        )
    match_state(loop.model, under_prefix("model", state.tensors))
    remind(loop.optimizer, under_prefix("optimizer", state.tensors))
    loop.step = state.facts["step"]
    loop.records = [EpochRecord(**record) for record in state.facts["records"]]
    loop.best.epoch, loop.best.n_since = state.facts["best"]["epoch"], state.facts["best"]["n_since"]
    if loop.best.epoch:
        chosen = loop.records[loop.best.epoch - 1]
        loop.best.verdict = chosen.verdict
        device = loop.ranks.device
        loop.best.tensors = {
            name: tensor.to(device, copy=True) for name, tensor in under_prefix("best", state.tensors).items()
        }


def finish(loop: Loop) -> History:
    """The network carries the weights of the best epoch, and this is how it came to them.

    Args:
        loop: After its last epoch; its network changes in place.

    Returns:
        The history.
    """
    if loop.best.epoch:
        loop.model.load_state_dict(loop.best.tensors)
    loop.ranks.agree(list(loop.model.state_dict().values()))
    return History(tuple(loop.records), loop.best.epoch or len(loop.records), loop.stopped_early)


def release(loop: Loop) -> None:
    """The network is on the CPU in the plain memory format, in eval mode and without gradients.

    Args:
        loop: Not used again.
    """
    loop.statistics.release()
    loop.model.zero_grad(set_to_none=True)
    loop.model.eval()
    loop.model.to(device=torch.device("cpu"), memory_format=torch.contiguous_format)


def _identity(loop: Loop) -> dict[str, Any]:
    """What must be equal for a training to be the same one."""
    return {
        "settings": loop.settings.to_dict(),
        "seed": loop.seed,
        "n_rows": len(loop.rows),
        "n_ranks": loop.ranks.n_ranks,
        # The order of streamed rows depends on how many shards fit into memory.
        **({"parts_at_once": loop.rows.parts_at_once} if loop.rows.parts_at_once else {}),
    }
