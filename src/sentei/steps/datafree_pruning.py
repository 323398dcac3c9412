"""Units leave a network without a look at any row."""

import copy
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from sentei.datafree import Annealing, Settings, Size, shrink
from sentei.models.attention import separate_heads
from sentei.steps.costing import budget_of, cost_of, header_bytes
from sentei.steps.examples import preprocessing_of
from sentei.steps.made import Made, Making
from sentei.structure import trace

DEVIATIONS = 4.0
"""How far from the mean, in standard deviations, inputs are taken to lie if they are floats: bytes have a range."""


def prune_data_free(making: Making, model: nn.Module) -> Made:
    """Pairs of neurons are merged and filters leave, by the weights and the range of the inputs alone.

    BatchNorm keeps its statistics: no row is looked at.

    Raises:
        ModelError: Nothing can leave, or the budget cannot be reached.
    """
    spec, (low, high) = making.spec, domain(making.data)
    kept = [pattern for pattern, _ in spec.get("layers", ())]
    shrunk = shrink(
        model,
        making.input_shape,
        low,
        high,
        _settings(spec),
        stop=_small_enough(spec, model, making) if "budget" in spec else None,
        whole=lambda group: any(fnmatchcase(group, pattern) for pattern in kept),
    )
    return Made(shrunk.model, surgery=shrunk.history, counts={"merged_pairs": str(len(shrunk.merges))})


def domain(data: Mapping[str, Any]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """The least and the largest input of each channel, as a network takes it, ``(n_channels,)`` each.

    Args:
        data: The plan's ``examples`` part.
    """
    preprocessing = preprocessing_of(data)
    n_channels = len(preprocessing.mean)
    if data["input"]["dtype"] == "uint8":
        ends = np.array([[0], [255]], np.uint8).repeat(n_channels, axis=1)
        low, high = preprocessing.apply(ends)
        return low, high
    most = np.full(n_channels, DEVIATIONS, np.float32)
    return -most, most


def _settings(spec: Mapping[str, Any]) -> Settings:
    wish = spec.get("data_free", {})
    annealing = Annealing(spec["seed"]) if wish.get("mode") == "stochastic" else None
    sparsity = float(spec["sparsity"]) if "sparsity" in spec else 1.0
    step, ranking = float(wish.get("step", "0.025")), wish.get("ranking", "bounds")
    return Settings(sparsity=sparsity, step=step, ranking=ranking, annealing=annealing)


def _small_enough(spec: Mapping[str, Any], model: nn.Module, making: Making) -> Callable[[Size], bool]:
    """Whether the budget is kept."""
    budget, structure = budget_of(spec), trace(separate_heads(copy.deepcopy(model)), making.input_shape)
    limit = budget.limit(cost_of(budget.measure, model, structure, making.data)({}))
    header = header_bytes({name: tensor.contiguous() for name, tensor in model.state_dict().items()})

    def kept(size: Size) -> bool:
        cost = {"macs": size.macs, "parameters": size.n_parameters, "bytes": header + size.n_bytes}
        return cost[budget.measure] <= limit

    return kept
