"""The weights of a smaller network, back in the places that they had."""

from collections.abc import Mapping

import numpy as np
import torch

from sentei.surgery.history import History, Step


def widen(state: Mapping[str, torch.Tensor], history: History) -> dict[str, torch.Tensor]:
    """The state of a network as wide as the dense one, in which the units that left do nothing.

    Args:
        state: Of the smaller network.
        history: What was cut.

    Returns:
        Tensors of the dense network's shapes: what stayed is where it was, everything else is 0 (1 for variances, so
        that nothing is divided by a small number).

    Raises:
        ValueError: A tensor has another size than the history says, or the history holds more than cuts.

    Guarantee:
        The wide network answers as the smaller one, up to the order of floating-point operations.
    """
    wide = dict(state)
    for step in reversed(history.steps):
        if not isinstance(step, Step):
            raise ValueError(f"only cuts can be widened, the history has a step of the kind {step.kind!r}")
        for name, dims in step.places().items():
            for dim, stays in dims.items():
                wide[name] = _spread(name, wide[name], dim, torch.from_numpy(np.flatnonzero(stays)), len(stays))
    return wide


def _spread(name: str, tensor: torch.Tensor, dim: int, places: torch.Tensor, size: int) -> torch.Tensor:
    if tensor.shape[dim] != len(places):
        raise ValueError(f"the history leaves {len(places)} places in dimension {dim} of {name!r}, not {tensor.shape}")
    shape = (*tensor.shape[:dim], size, *tensor.shape[dim + 1 :])
    nothing = 1.0 if name.rpartition(".")[2] == "running_var" else 0.0
    return torch.full(shape, nothing, dtype=tensor.dtype).index_copy_(dim, places, tensor.detach().cpu())
