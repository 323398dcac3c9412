"""Layers between which nothing bends become one, where the served network gets quicker by it."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from sentei.depth import Merge, Merged, merge, mergeable
from sentei.errors import ModelError
from sentei.evaluation.export import export_onnx
from sentei.evaluation.latency import compare_latency
from sentei.evaluation.served import ServedModel
from sentei.models.inference import in_eval_mode
from sentei.steps.examples import preprocessing_of

TRIED = 24
"""Merges that are exported and timed at most, those that save most multiply-accumulates first."""
AGREEMENT = 1e-4
"""Largest difference between the network with merged layers and the one without, as a share of the largest answer."""
HOPELESS = 1.5
"""A merge that multiplies its layers' multiply-accumulates by more is not timed: two 3 x 3 convolutions of equal width
make a 5 x 5 of 1.39 times as many."""


@dataclass(frozen=True)
class Quicker:
    """What was merged.

    Attributes:
        step: For the history of the surgery; None if nothing was merged.
        n_layers: How many layers are gone by it; a folded BatchNorm is none.
    """

    step: Merged | None
    n_layers: int


def merge_where_it_pays(model: nn.Module, data: Mapping[str, Any]) -> Quicker:
    """Merges linear layers of a network, one merge after the other, each if the served network is then surely quicker.

    BatchNorm behind layers that stay alone is folded into them: the served network, in which it is folded anyway,
    stays as it is, and the stored one gets smaller.

    Args:
        model: Changed in place.
        data: The plan's ``examples`` part.

    Returns:
        What was merged; a merge after which the network would answer otherwise is left out. Times are measured, so
        that another run may choose otherwise where a merge hardly pays.
    """
    plan = mergeable(model, tuple(data["input"]["shape"]))
    several = [one for one in plan.candidates if _n_layers(one) > 1 and one.macs_after <= HOPELESS * one.macs_before]
    timed, chosen = _Timed(model, data), list[Merge]()
    for candidate in sorted(several, key=lambda one: one.macs_after - one.macs_before)[:TRIED]:
        if _apart(candidate, chosen) and timed.is_quicker(chosen, candidate):
            chosen.append(candidate)
    n_layers = sum(_n_layers(one) - 1 for one in chosen)
    folds = [one for one in plan.candidates if _n_layers(one) == 1 and _apart(one, chosen)]
    if _merged(model, [*chosen, *folds], data) is None:  # seldom: then those that are at fault stay out
        folds = [one for one in folds if _merged(model, [*chosen, one], data) is not None]
    chosen += folds
    return Quicker(merge(model, chosen) if chosen else None, n_layers)


def _merged(model: nn.Module, merges: Sequence[Merge], data: Mapping[str, Any]) -> nn.Module | None:
    """The network with these merges; None if it would answer otherwise."""
    twin = copy.deepcopy(model)
    try:
        merge(twin, merges)
    except ModelError:
        return None
    rows = torch.randn(4, *data["input"]["shape"], generator=torch.Generator().manual_seed(0))
    with in_eval_mode(model), in_eval_mode(twin), torch.no_grad():
        expected, received = model(rows), twin(rows)
    return twin if bool((received - expected).abs().max() <= AGREEMENT * expected.abs().max()) else None


class _Timed:
    """The network as it would be served with the merges so far, timed beside one with a merge more."""

    def __init__(self, model: nn.Module, data: Mapping[str, Any]) -> None:
        self._model, self._data = model, data
        self._row = np.zeros((1, *data["input"]["shape"])).astype(data["input"]["dtype"])
        self._best: ServedModel | None = None

    def is_quicker(self, chosen: Sequence[Merge], candidate: Merge) -> bool:
        twin = _merged(self._model, [*chosen, candidate], self._data)
        if twin is None:
            return False
        if self._best is None:
            self._best = self._served(self._model)
        other = self._served(twin)
        if compare_latency(self._best, other, self._row).high < 1:
            self._best = other
            return True
        return False

    def _served(self, net: nn.Module) -> ServedModel:
        shape, dtype = tuple(self._data["input"]["shape"]), self._data["input"]["dtype"]
        return ServedModel(export_onnx(net, preprocessing_of(self._data), shape, dtype), threads=1)


def _n_layers(one: Merge) -> int:
    return sum(len(branch) for branch in one.region.branches)


def _apart(candidate: Merge, chosen: Sequence[Merge]) -> bool:
    return all(candidate.region.paths.isdisjoint(one.region.paths) for one in chosen)
