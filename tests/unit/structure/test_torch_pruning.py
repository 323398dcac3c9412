"""A peer: the places that leave with a unit are those that torch-pruning's dependency graph finds."""

import warnings
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch_pruning
from torch import nn
from torchvision import models

from sentei.structure import Group, trace

Places = dict[tuple[str, int], frozenset[int]]

WITHOUT = {"aux_logits": False, "init_weights": False}
NETS: dict[str, tuple[Callable[[], nn.Module], int]] = {
    "resnet18": (lambda: models.resnet18(weights=None), 32),
    "mobilenet_v2": (lambda: models.mobilenet_v2(weights=None), 32),
    "densenet121": (lambda: models.densenet121(weights=None), 32),
    "vgg11_bn": (lambda: models.vgg11_bn(weights=None), 32),
    "resnext50_32x4d": (lambda: models.resnext50_32x4d(weights=None), 32),
    "googlenet": (lambda: models.googlenet(weights=None, **WITHOUT), 32),
}


def ours(group: Group, unit: int) -> Places:
    found = {(m.tensor, m.dim): frozenset(np.flatnonzero(m.units == unit).tolist()) for m in group.members}
    return {place: positions for place, positions in found.items() if positions}


def theirs(graph: torch_pruning.DependencyGraph, network: nn.Module, group: Group, unit: int) -> Places:
    """What leaves with the unit's rows of every layer that makes it.

    torch-pruning does not tie the outputs of a grouped convolution to its inputs, which we do (whole groups leave, so
    that those that stay keep their size): the union over the makers is what belongs together.
    """
    found: dict[tuple[str, int], set[int]] = {}
    names = {id(module): name for name, module in network.named_modules()}
    for member in group.members:
        rows = np.flatnonzero(member.units == unit).tolist()
        if member.role == "out" and member.tensor.endswith("weight") and rows:
            module = network.get_submodule(member.tensor.rpartition(".")[0])
            for dependency, positions in graph.get_pruning_group(
                module, graph.get_pruner_of_module(module).prune_out_channels, rows
            ):
                target = dependency.target.module
                if id(target) in names:
                    for place in places_of(names[id(target)], target, dependency.handler.__name__):
                        found.setdefault(place, set()).update(int(position) for position in positions)
    return {place: frozenset(positions) for place, positions in found.items()}


def places_of(name: str, module: nn.Module, handler: str) -> list[tuple[str, int]]:
    if isinstance(module, nn.BatchNorm2d):
        return [(f"{name}.{tensor}", 0) for tensor in ("weight", "bias", "running_mean", "running_var")]
    if isinstance(module, nn.Conv2d | nn.Linear):
        if getattr(module, "groups", 1) > 1 or handler == "prune_out_channels":
            return [(f"{name}.weight", 0)] + [(f"{name}.bias", 0)] * (module.bias is not None)
        return [(f"{name}.weight", 1)]
    return []


@pytest.mark.parametrize("name", NETS)
def test_what_leaves_with_a_unit(name):
    make, side = NETS[name]
    torch.manual_seed(0)
    network = make().eval()
    structure = trace(network, (3, side, side))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch-pruning reads .grad of what is no leaf
        graph = torch_pruning.DependencyGraph().build_dependency(network, torch.zeros(1, 3, side, side))

    for group in structure.groups:
        for unit in (0, group.n_units - 1):
            assert ours(group, unit) == theirs(graph, network, group, unit), (group.name, unit)


@pytest.mark.parametrize("name", NETS)
def test_every_layer_but_the_last_makes_units(name):
    """torch-pruning prunes the outputs of every convolution and linear layer but the classifier; so do we."""
    make, side = NETS[name]
    network = make().eval()
    layers = [n for n, module in network.named_modules() if isinstance(module, nn.Conv2d | nn.Linear)]

    makers = {
        member.tensor.removesuffix(".weight")
        for group in trace(network, (3, side, side)).groups
        for member in group.members
        if member.role == "out" and member.tensor.endswith("weight") and (member.units >= 0).all()
    }

    assert makers == set(layers[:-1])
