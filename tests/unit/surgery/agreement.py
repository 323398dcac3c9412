"""The law of surgery, as the tests ask for it: the smaller network answers as the masked one."""

import copy
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from sentei.models.inference import in_eval_mode
from sentei.structure import Keep, Structure
from sentei.surgery import Step, cut, zero_units


def random_keep(structure: Structure, rng: np.random.Generator, share: float = 0.5) -> dict[str, np.ndarray]:
    """Of each group this share of the units leaves, drawn at random; at least one stays."""
    keep = {}
    for group in structure.groups:
        keep[group.name] = np.ones(group.n_units, dtype=bool)
        keep[group.name][rng.permutation(group.n_units)[: min(int(group.n_units * share), group.n_units - 1)]] = False
    return keep


@torch.no_grad()
def randomise(model: nn.Module, seed: int = 0) -> nn.Module:
    """Gives numbers to what starts as zeros, ones or another constant, so that every unit matters."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if tensor.is_floating_point() and tensor.numel() > 1 and tensor.min() == tensor.max():
            spread = torch.rand(tensor.shape, generator=generator)
            tensor.copy_(0.4 * (spread - 0.5) if tensor.flatten()[0] == 0 and "var" not in name else 0.5 + spread)
    return model


def answers(model: nn.Module, rows: torch.Tensor) -> torch.Tensor:
    """In eval mode, in double precision."""
    twin = copy.deepcopy(model).double()
    with in_eval_mode(twin), torch.no_grad():
        out: torch.Tensor = twin(rows.double())
    return out


def distance(one: torch.Tensor, other: torch.Tensor) -> float:
    """The largest difference, as a share of the largest entry of the other."""
    assert one.shape == other.shape
    return float((one - other).abs().max() / other.abs().max())


def assert_smaller_is_masked(
    model: nn.Module, structure: Structure, keep: Keep, input_shape: Sequence[int], changes: float
) -> tuple[nn.Module, Step]:
    """Cuts a copy, and compares it on three rows.

    Args:
        model: Only read.
        structure: Of this network.
        keep: By group.
        input_shape: Of one row.
        changes: The masked network is at least this far from the whole one: a comparison that nothing can fail is none.

    Returns:
        The smaller network, and the step that made it.
    """
    rows = torch.randn(3, *input_shape, generator=torch.Generator().manual_seed(1))
    masked, slim = copy.deepcopy(model), copy.deepcopy(model)
    zero_units(masked, structure, keep)
    step = cut(slim, structure, keep, input_shape)
    expected = answers(masked, rows)
    assert distance(answers(slim, rows), expected) < 1e-5
    assert distance(expected, answers(model, rows)) > changes
    foretold = structure.kept_shapes(keep)
    assert {name: tuple(tensor.shape) for name, tensor in slim.state_dict().items()} == foretold
    assert sum(parameter.numel() for parameter in slim.parameters()) == structure.n_parameters(keep)
    return slim, step
