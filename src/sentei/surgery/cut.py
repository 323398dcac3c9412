"""network, units -> the smaller network, found to answer as the masked one."""

import copy
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from sentei.errors import ModelError
from sentei.models.inference import in_eval_mode
from sentei.structure import Keep, Structure
from sentei.surgery.history import Step
from sentei.surgery.removal import remove_places
from sentei.surgery.zeroing import zero_units

AGREEMENT = 1e-4
"""Largest difference between the smaller and the masked network, as a share of the masked one's largest output."""


def cut(model: nn.Module, structure: Structure, keep: Keep, input_shape: Sequence[int]) -> Step:
    """Takes the units out of a network.

    Args:
        model: Changed in place.
        structure: Of this network.
        keep: By group; True = keep. A group that is not named keeps all of its units.
        input_shape: Of one row, without the batch.

    Returns:
        What stayed of each tensor, as JSON can hold it: the same step on the same network gives the same shapes.

    Raises:
        ValueError: A group is unknown, its mask has another size, or nothing of it would stay.
        ModelError: The smaller network fails or answers otherwise than the masked one: its forward pass depends on
            sizes in a way that no label shows; or a layer would make nothing any more. The group is named, and the
            model is unchanged.

    Guarantee:
        The smaller network was run on random rows and answered as the masked one.
    """
    _require_units(structure, keep)
    _require_entries(structure, keep)
    slim, places = copy.deepcopy(model), structure.kept(keep)
    remove_places(slim, places)
    masked = _with_zeros(model, structure, keep)
    rows = _rows(model, input_shape)
    expected = _answer(masked, rows)
    if fault := _fault(slim, rows, expected):
        raise ModelError(_named(model, structure, keep, rows) + f": {fault}")
    remove_places(model, places)
    return Step.of(places)


def _with_zeros(model: nn.Module, structure: Structure, keep: Keep) -> nn.Module:
    masked = copy.deepcopy(model)
    zero_units(masked, structure, keep)
    return masked


def _rows(model: nn.Module, input_shape: Sequence[int]) -> torch.Tensor:
    device = next((parameter.device for parameter in model.parameters()), None)
    return torch.randn(2, *input_shape, generator=torch.Generator().manual_seed(0)).to(device)


def _answer(model: nn.Module, rows: torch.Tensor) -> torch.Tensor:
    """In eval mode; a network that draws numbers draws the same ones each time, and takes none from the caller."""
    with in_eval_mode(model), torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        answer = model(rows)
    if not isinstance(answer, torch.Tensor):
        raise ModelError(
            f"{type(model).__name__} answers with a {type(answer).__name__}, surgery compares single tensors; "
            "wrap the network so that it gives its logits alone"
        )
    return answer


def _fault(slim: nn.Module, rows: torch.Tensor, expected: torch.Tensor) -> str:
    """What is wrong with the smaller network; empty if nothing is."""
    try:
        received = _answer(slim, rows)
    except Exception as error:  # a forward pass can fail in every way
        return f"the smaller network fails: {error}"
    if received.shape != expected.shape:
        return f"the smaller network gives {tuple(received.shape)}, {tuple(expected.shape)} was expected"
    distance = float((received - expected).abs().max())
    limit = AGREEMENT * float(expected.abs().max())
    return "" if distance <= limit else f"the smaller network differs from the masked one by {distance:.3g}"


def _named(model: nn.Module, structure: Structure, keep: Keep, rows: torch.Tensor) -> str:
    """The group at fault, found by taking units out of one group at a time."""
    for name in keep:
        alone = {name: keep[name]}
        if keep[name].all():
            continue
        masked, slim = _with_zeros(model, structure, alone), copy.deepcopy(model)
        remove_places(slim, structure.kept(alone))
        if _fault(slim, rows, _answer(masked, rows)):
            return _advice(name)
    return _advice(*keep)


def _advice(*names: str) -> str:
    told, how = ", ".join(repr(name) for name in names), "alone" if len(names) == 1 else "together"
    return f"the units of {told} cannot leave {how}; keep them whole with layers: {{{names[0]}: keep}}"


def _require_units(structure: Structure, keep: Keep) -> None:
    sizes = {group.name: group.n_units for group in structure.groups}
    for name, mask in keep.items():
        if name not in sizes or np.shape(mask) != (sizes[name],):
            known = sizes.get(name, "no such group")
            raise ValueError(f"the mask of group {name!r} has shape {np.shape(mask)}, the network has {known}")
        if not np.any(mask):
            raise ValueError(f"group {name!r} would lose all of its {sizes[name]} units; keep one")


def _require_entries(structure: Structure, keep: Keep) -> None:
    """A layer may make only a part of a group's units, and all of them may be asked to leave."""
    for name, shape in structure.kept_shapes(keep).items():
        if 0 in shape and 0 not in structure.shapes[name]:
            groups = [g.name for g in structure.groups if g.name in keep and any(m.tensor == name for m in g.members)]
            raise ModelError(f"nothing would stay of {name!r}: " + _advice(*groups))
