"""network -> its activations, in the order of one forward pass."""

import copy
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from sentei.depth.owners import ADVICE
from sentei.depth.rectifiers import kind_of
from sentei.depth.separation import separate, unshare
from sentei.depth.watching import Seen, random_rows, watch
from sentei.errors import ModelError


@dataclass(frozen=True)
class Activation:
    """One place at which a network bends its numbers.

    Attributes:
        name: The path of its module, ``features.2``. A call of a function, or one of several calls of a module, is
            known by its owner, its own name and its number in the owner's forward: ``layer1.0.relu:0``.
        kind: ``relu``, ``relu6``, ``leakyrelu``, ``prelu``, ``gelu``, ``silu``, ``hardswish`` or ``elu``.
        dim: The dimension that holds its neurons, counted with the batch.
        n_neurons: Channels or features.
    """

    name: str
    kind: str
    dim: int
    n_neurons: int


def find_activations(model: nn.Module, input_shape: Sequence[int]) -> tuple[Activation, ...]:
    """The activations of a network.

    Counted are ReLU, ReLU6, LeakyReLU, PReLU, GELU, SiLU, Hardswish and ELU: modules, each call of a module that is
    called several times, and functions such as ``F.relu``. Those inside torchvision's squeeze-and-excitation are left
    out: they bend one number for each channel of a gate, and no layer merges when they go. So are those that see
    nothing of a row, such as the ones inside the position biases of Swin V2.

    Neurons are the last dimension if the layer that ran before is linear, and in sequences ``(n, length, features)``
    of which no layer is known; otherwise they are dimension 1.

    Args:
        model: Only read; asked in eval mode for random rows.
        input_shape: Of one row, without the batch.

    Returns:
        In the order of one forward pass; a module in an owner that runs several times is there once.

    Raises:
        ModelError: The network has no activation, or one that is called in a way that cannot be followed.

    Guarantee:
        The network in which every one of them is a module of its own was run, and answered as this one.

    Example:
        >>> net = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 2))
        >>> find_activations(net, (3,))
        (Activation(name='1', kind='relu', dim=1, n_neurons=5),)
    """
    twin = copy.deepcopy(model).requires_grad_(False)
    separate_activations(twin, input_shape)
    seen, _ = watch(twin, random_rows(twin, input_shape))
    gates = _gates(twin)
    found: dict[str, Activation] = {}
    for one in seen:
        if one.tracked and not any(f"{one.path}.".startswith(f"{gate}.") for gate in gates):
            kind = kind_of(twin.get_submodule(one.path))
            found.setdefault(one.path, Activation(one.path, kind, one.dim, one.shape[one.dim]))
    if not found:
        raise ModelError(f"{type(model).__name__} has no activation that can be found; {ADVICE}")
    return tuple(found.values())


def separate_activations(model: nn.Module, input_shape: Sequence[int]) -> None:
    """Every activation of a network is a module of its own from now on, under the name that it is found by.

    Args:
        model: Changed in place; answers and the names in its state dict stay.
        input_shape: Of one row, without the batch.

    Raises:
        ModelError: An activation is called in a way that cannot be followed, or the network would answer otherwise.
    """
    unshare(model)
    rows = random_rows(model, input_shape)
    seen, expected = watch(model, rows)
    for owner in _shared(seen):
        separate(model.get_submodule(owner))
    again, answer = watch(model, rows)
    if rest := _shared(again):
        raise ModelError(f"the forward of {rest[0] or type(model).__name__!r} calls activations out of sight; {ADVICE}")
    if len(again) != len(seen) or not _equal(answer, expected):
        raise ModelError(f"{type(model).__name__} would answer otherwise with separate activations; {ADVICE}")


def _shared(seen: Sequence[Seen]) -> list[str]:
    """Owners that call functions, or one module twice, or one that another owner calls too; in order."""
    n_calls = Counter((one.path, one.owner, one.run) for one in seen)
    n_owners = Counter(path for path, _ in {(one.path, one.owner) for one in seen})
    found = [
        one.owner for one in seen if not one.path or n_calls[one.path, one.owner, one.run] > 1 or n_owners[one.path] > 1
    ]
    return list(dict.fromkeys(found))


def _gates(model: nn.Module) -> list[str]:
    # A network of torchvision has imported its module already; for all others the import would cost seconds.
    misc = sys.modules.get("torchvision.ops.misc")
    return [] if misc is None else [n for n, m in model.named_modules() if isinstance(m, misc.SqueezeExcitation)]


def _equal(one: object, other: object) -> bool:
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return one.shape == other.shape and torch.equal(one.nan_to_num(), other.nan_to_num())
    return type(one) is type(other)
