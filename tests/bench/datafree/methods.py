"""Ways to take the same share of the units out of every layer, without data and without training."""

import copy
from collections.abc import Callable
from typing import Literal

import numpy as np
from torch import nn

from sentei.datafree import Annealing, Settings, shrink
from sentei.importance import score_units
from sentei.sparsity import keep_units
from sentei.structure import trace
from sentei.surgery import cut
from tests.bench.datafree.networks import Trained

Method = Callable[[Trained, float], nn.Module]


def pairs(annealing: Annealing | None = None, ranking: Literal["bounds", "width"] = "bounds") -> Method:
    """Pairs of neurons merged by bounds on their impact, filters by their norm."""

    def method(task: Trained, share: float) -> nn.Module:
        settings = Settings(sparsity=share, ranking=ranking, annealing=annealing)
        return shrink(task.model, task.test.inputs.shape[1:], *_limits(task), settings).model

    return method


def by_score(criterion: str, seed: int = 0) -> Method:
    """Units with the least score leave, and nothing takes their place."""

    def method(task: Trained, share: float) -> nn.Module:
        model, shape = copy.deepcopy(task.model), task.test.inputs.shape[1:]
        structure = trace(model, shape)
        keep = keep_units(structure, score_units(model, criterion, structure, seed), share, "uniform")
        cut(model, structure, keep, shape)
        return model

    return method


def _limits(task: Trained) -> tuple[np.ndarray, np.ndarray]:
    """The range of bytes; four standard deviations of floats."""
    n_channels = len(task.preprocessing.mean)
    if task.test.inputs.dtype != np.uint8:
        return np.full(n_channels, -4.0), np.full(n_channels, 4.0)
    low, high = task.preprocessing.apply(np.array([[0], [255]], np.uint8).repeat(n_channels, axis=1))
    return low, high


METHODS: dict[str, Method] = {
    "sentei: pairs, greedy": pairs(),
    "sentei: pairs, greedy, by width": pairs(ranking="width"),
    "sentei: pairs, stochastic": pairs(Annealing(seed=0)),
    "L1 norm": by_score("magnitude-l1"),
    **{f"random, seed {seed}": by_score("random", seed) for seed in range(3)},
}
