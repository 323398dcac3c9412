"""Seconds of graph and one step on ResNet-50, and of a global mask over its weights, beside the peers, in turns."""

import copy
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import torch
from torch import nn
from torch.nn.utils import prune as torch_prune

from sentei.importance import prunable_weights, score, score_units
from sentei.sparsity import allocate, apply_masks, keep_units
from sentei.structure import trace
from sentei.surgery.removal import remove_places
from tests.bench.pruning.networks import network
from tests.bench.record import circumstances, keep, load

SHAPE, REPEATS, SPARSITY = (3, 224, 224), 9, 0.5


def main() -> Path:
    """Both comparisons, by one thread and by two; the file with the figures."""
    before, started = load(), circumstances("torch-pruning", "torchvision")
    figures: dict[str, Any] = {}
    for n_threads in (1, 2):
        torch.set_num_threads(n_threads)
        figures[f"{n_threads} threads"] = {
            "graph_and_step": _in_turns(_step_ours, _step_theirs),
            "global_mask": _in_turns(_mask_ours, _mask_theirs) | {"one_pass_s": _one_pass()},
        }
        print(figures, flush=True)
    return keep("pruning-speed", figures, {"weights": 0}, before, started)


def _in_turns(ours: Callable[[nn.Module], object], theirs: Callable[[nn.Module], object]) -> dict[str, Any]:
    taken: dict[str, list[float]] = {"ours": [], "theirs": []}
    base = network("resnet50")
    for turn in range(REPEATS + 1):
        for name, call in (("ours", ours), ("theirs", theirs)) if turn % 2 else (("theirs", theirs), ("ours", ours)):
            model = copy.deepcopy(base)
            begun = time.perf_counter()
            call(model)
            if turn:  # the first turn pays for imports and caches
                taken[name].append(time.perf_counter() - begun)
    ratios = [theirs_ / ours_ for ours_, theirs_ in zip(taken["ours"], taken["theirs"], strict=True)]
    low, _, high = quantiles(ratios, n=4)
    times = {f"median_{name}_s": round(median(values), 4) for name, values in taken.items()}
    return times | {"times_as_fast": round(median(ratios), 2), "quartiles": [round(low, 2), round(high, 2)]}


def _step_ours(model: nn.Module) -> None:
    structure = trace(model, SHAPE)
    keep_ = keep_units(structure, score_units(model, "magnitude-l2", structure, 0), 0.5, "uniform")
    remove_places(model, structure.kept(keep_))


def _step_theirs(model: nn.Module) -> None:
    import torch_pruning

    importance = torch_pruning.importance.GroupMagnitudeImportance(p=2)
    pruner = torch_pruning.pruner.MetaPruner(
        model, torch.zeros(1, *SHAPE), importance=importance, pruning_ratio=0.5, ignored_layers=[model.fc], num_heads={}
    )
    pruner.step()


def _mask_ours(model: nn.Module) -> None:
    names = prunable_weights(model)
    apply_masks(model, allocate(score(model, "magnitude-l1", names, 0), SPARSITY))


def _mask_theirs(model: nn.Module) -> None:
    layers = [module for module in model.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    pruned = [(layer, "weight") for layer in layers]
    torch_prune.global_unstructured(pruned, torch_prune.L1Unstructured, amount=SPARSITY)
    for layer, name in pruned:
        torch_prune.remove(layer, name)


def _one_pass() -> float:
    """Seconds to read every weight once."""
    model = network("resnet50")
    weights = [model.get_parameter(name).detach() for name in prunable_weights(model)]
    taken = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        for weight in weights:
            weight.sum()
        taken.append(time.perf_counter() - begun)
    return round(median(taken), 4)
