"""What a network without some units would cost, in the measure of a budget."""

import copy
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import numpy as np
from safetensors.torch import save
from torch import Tensor, nn

from sentei.data import Preprocessing
from sentei.evaluation.export import export_onnx
from sentei.evaluation.latency import compare_latency
from sentei.evaluation.served import ServedModel
from sentei.sparsity import Budget
from sentei.sparsity.fitting import Cost
from sentei.structure import Keep, Structure
from sentei.surgery.removal import remove_places

EVALUATIONS = 8
"""Networks whose latency is measured on the way to a budget: each is exported and timed."""


def budget_of(spec: Mapping[str, Any]) -> Budget:
    """The budget of a variant's specification."""
    [(measure, text)] = spec["budget"].items()
    is_share = measure == "latency" or (measure != "latency_ms" and Decimal(text) <= 1)
    return Budget("latency_ms" if measure == "latency" else measure, float(text), is_share)


def cost_of(measure: str, model: nn.Module, structure: Structure, data: Mapping[str, Any]) -> Cost:
    """The cost of a network without some units.

    Args:
        measure: ``macs``, ``parameters``, ``bytes`` or ``latency_ms``.
        model: With all units; only read.
        structure: Of this network.
        data: The plan's ``examples`` part.
    """
    if measure == "latency_ms":
        return _latency(model, structure, data)
    return {"macs": structure.macs, "parameters": structure.n_parameters, "bytes": _bytes(model, structure)}[measure]


def _bytes(model: nn.Module, structure: Structure) -> Cost:
    """Bytes of the weights' file: its tensors, and a header that is no longer than the whole network's."""
    state = {name: tensor.detach().contiguous() for name, tensor in model.state_dict().items()}
    sizes: dict[str, int] = {name: tensor.element_size() for name, tensor in state.items()}
    header = header_bytes(state)

    def cost(keep: Keep) -> int:
        shapes = structure.kept_shapes(keep)
        return header + sum(math.prod(shape) * sizes[name] for name, shape in shapes.items())

    return cost


def header_bytes(tensors: Mapping[str, Tensor]) -> int:
    """What names and shapes take of a file with these tensors, beside their values.

    Args:
        tensors: By name, contiguous.
    """
    return len(save(dict(tensors))) - sum(int(tensor.nbytes) for tensor in tensors.values())


def _latency(model: nn.Module, structure: Structure, data: Mapping[str, Any]) -> Cost:
    """Milliseconds of one answer on one thread, timed in turns with the whole network, whose latency is taken once."""
    whole = ServedModel(_exported(model, data), threads=1)
    row = np.zeros((1, *data["input"]["shape"])).astype(data["input"]["dtype"])
    base = compare_latency(whole, whole, row).base_ms

    def cost(keep: Keep) -> float:
        slim = copy.deepcopy(model)
        remove_places(slim, structure.kept(keep))
        return base * compare_latency(whole, ServedModel(_exported(slim, data), threads=1), row).ratio

    return cost


def _exported(model: nn.Module, data: Mapping[str, Any]) -> bytes:
    shape, dtype = tuple(data["input"]["shape"]), data["input"]["dtype"]
    return export_onnx(model, Preprocessing.from_dict(data["preprocessing"]), shape, dtype)
