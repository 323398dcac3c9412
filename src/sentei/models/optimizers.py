"""torch's optimisers, set up for a network, and what they remember of it by the names of its parameters."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from sentei.errors import ModelError
from sentei.models.settings import TrainSettings


def make_optimizer(model: nn.Module, settings: TrainSettings) -> torch.optim.Optimizer:
    """The optimiser that the settings name; weight decay acts on parameters with two or more dimensions.

    Args:
        model: Its trainable parameters.
        settings: Optimizer, learning rate, momentum, weight decay.

    Returns:
        An optimiser that remembers nothing yet and knows its parameters by name.

    Raises:
        ModelError: No parameter can be trained.
    """
    named = [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
    if not named:
        raise ModelError(f"{type(model).__name__} has no parameter to train; give a network that can learn")
    decayed = [pair for pair in named if pair[1].dim() > 1]
    free = [pair for pair in named if pair[1].dim() <= 1]
    groups: list[dict[str, Any]] = [
        {"params": pairs, "weight_decay": decay}
        for pairs, decay in ((decayed, settings.weight_decay), (free, 0.0))
        if pairs
    ]
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=settings.learning_rate, foreach=True)
    return torch.optim.SGD(
        groups,
        lr=settings.learning_rate,
        momentum=settings.momentum,
        nesterov=settings.momentum > 0,
        foreach=True,
    )


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """The optimiser's next step uses this learning rate.

    Args:
        optimizer: Changed in place.
        rate: More than 0.
    """
    for group in optimizer.param_groups:
        group["lr"] = rate


def memory_of(optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """What an optimiser remembers of each parameter.

    Args:
        optimizer: From `make_optimizer`; only read.

    Returns:
        By ``parameter/slot``, the tensors themselves; empty before the first step.
    """
    return {
        f"{name}/{slot}": tensor
        for name, parameter in _named(optimizer).items()
        for slot, tensor in optimizer.state.get(parameter, {}).items()
        if tensor is not None
    }


def remind(optimizer: torch.optim.Optimizer, memory: Mapping[str, torch.Tensor]) -> None:
    """The optimiser remembers what `memory_of` gave.

    Args:
        optimizer: From `make_optimizer` for the same network and settings; changed in place.
        memory: By ``parameter/slot``; copied, in each parameter's own memory format.
    """
    named = _named(optimizer)
    slots: dict[int, dict[str, torch.Tensor]] = {index: {} for index in range(len(named))}
    for key, tensor in memory.items():
        name, _, slot = key.rpartition("/")
        # torch counts steps on the processor; all else lies as its parameter lies, as it would without interruption.
        own = tensor.clone() if slot == "step" else torch.empty_like(named[name], requires_grad=False).copy_(tensor)
        slots[list(named).index(name)][slot] = own
    slots = {index: remembered for index, remembered in slots.items() if remembered}
    optimizer.load_state_dict({"state": slots, "param_groups": optimizer.state_dict()["param_groups"]})


def _named(optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """Parameters by name, in the order by which the optimiser's state dictionary counts them."""
    return {
        name: parameter
        for group in optimizer.param_groups
        for name, parameter in zip(group["param_names"], group["params"], strict=True)
    }
