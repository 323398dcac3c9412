"""The optimiser, and its memory as tensors by parameter name."""

from collections.abc import Mapping

import torch
from torch import nn

from sentei.models.settings import TrainSettings
from sentei.models.state import frozen


def make_optimizer(model: nn.Module, settings: TrainSettings) -> torch.optim.Optimizer:
    """The optimiser that the settings name, with weight decay on weights only.

    Args:
        model: Its trainable parameters.
        settings: Optimizer, learning rate, momentum, weight decay.

    Returns:
        An optimiser with two groups: decayed (two or more dimensions) and free.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=settings.learning_rate, foreach=True)
    return torch.optim.SGD(
        groups, lr=settings.learning_rate, momentum=settings.momentum, nesterov=settings.momentum > 0, foreach=True
    )


def optimizer_tensors(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """What the optimiser remembers of every parameter.

    Args:
        model: Gives the names.
        optimizer: Of this model.

    Returns:
        Copies by ``parameter/slot``.
    """
    return {
        f"{name}/{slot}": frozen(value)
        for name, parameter in model.named_parameters()
        for slot, value in optimizer.state.get(parameter, {}).items()
        if isinstance(value, torch.Tensor)
    }


def restore_optimizer(model: nn.Module, optimizer: torch.optim.Optimizer, tensors: Mapping[str, torch.Tensor]) -> None:
    """The optimiser remembers again what `optimizer_tensors` copied.

    Args:
        model: Gives the names.
        optimizer: Of this model; changed in place.
        tensors: By ``parameter/slot``.
    """
    parameters = dict(model.named_parameters())
    for key, value in tensors.items():
        name, _, slot = key.rpartition("/")
        parameter = parameters[name]
        like = torch.empty_like(parameter) if value.shape == parameter.shape else torch.empty_like(value)
        optimizer.state[parameter][slot] = like.copy_(value)
