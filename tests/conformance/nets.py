"""A small network with its prunable groups written by hand, rows for it, and the same network in another order."""

import numpy as np
import torch
from torch import nn

from sentei.data.preprocessing import Preprocessing
from sentei.importance import ScoringRows
from sentei.structure.groups import Group, Member, Structure

N_CLASSES = 3


def convolutional(seed: int = 0) -> nn.Sequential:
    """Two convolutions and two linear layers, with BatchNorm and ReLU between, for rows of shape (2, 6, 6)."""
    generator = torch.Generator().manual_seed(seed)
    net = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(),
        nn.Conv2d(4, 5, 3, stride=2), nn.BatchNorm2d(5), nn.ReLU(),
        nn.Flatten(), nn.Linear(5 * 4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, N_CLASSES),
    )  # fmt: skip
    for name, tensor in net.state_dict().items():
        if tensor.is_floating_point():
            drawn = torch.randn(tensor.shape, generator=generator)
            positive = name.endswith("running_var") or name in ("1.weight", "4.weight", "8.weight")
            tensor.copy_(drawn.abs() + 0.5 if positive else 0.5 * drawn)
    return net.eval()


def of_convolutional() -> Structure:
    """The groups of `convolutional`: two of channels and one of hidden units; the classes stay."""
    groups = (
        _group("0", 4, out=("0.weight",), along=1, reads="3.weight", places=1),
        _group("3", 5, out=("3.weight", "3.bias"), along=4, reads="7.weight", places=4),
        _group("7", 6, out=("7.weight", "7.bias"), along=8, reads="10.weight", places=1),
    )
    net = convolutional()
    shapes = {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}
    return Structure(groups, (), shapes, tuple(name for name, _ in net.named_parameters()), {})


def _group(name: str, n_units: int, out: tuple[str, ...], along: int, reads: str, places: int) -> Group:
    units = np.arange(n_units)
    members = [Member(tensor, 0, "out", units) for tensor in out]
    tensors = ("weight", "bias", "running_mean", "running_var")
    members += [Member(f"{along}.{tensor}", 0, "along", units) for tensor in tensors]
    members.append(Member(reads, 1, "in", np.repeat(units, places)))
    return Group(name, "channels", n_units, 1, tuple(members))


def rows(n: int = 12, batch_size: int = 12, labelled: bool = True, seed: int = 0) -> ScoringRows:
    """Rows for `convolutional`."""
    generator = np.random.default_rng(seed)
    inputs = generator.integers(0, 256, (n, 2, 6, 6)).astype(np.uint8)
    labels = generator.integers(0, N_CLASSES, n) if labelled else np.full(n, -1)
    return ScoringRows(inputs, labels.astype(np.int64), Preprocessing(0.00392157, (0.5, 0.5), (0.3, 0.3)), batch_size)


def reordered(tensors: dict[str, torch.Tensor], group: Group, order: np.ndarray) -> dict[str, torch.Tensor]:
    """The tensors with unit ``order[u]`` where unit u stood; applied to a network it computes the same."""
    moved = dict(tensors)
    for member in group.members:
        if member.tensor in moved:
            source = np.arange(len(member.units))
            for unit in range(group.n_units):
                source[member.units == unit] = np.flatnonzero(member.units == order[unit])
            moved[member.tensor] = moved[member.tensor].index_select(member.dim, torch.from_numpy(source))
    return moved
