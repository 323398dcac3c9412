"""Layers as ONNX operators: the small table that serves the networks we know without torch's slow exporter.

Everything here is exact about what it covers. A layer or function outside the table, or in a form the table does not
state, raises `NotCovered`, and the network goes through torch's own exporter instead.
"""

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from sentei.evaluation.graph import Graph


class NotCovered(Exception):  # noqa: N818  -- not an error: it sends the network the other way
    """The table has no entry for this."""


def module_operator(graph: Graph, name: str, module: nn.Module, value: str) -> str:
    """Adds one layer to the graph.

    Args:
        graph: Grows by the layer's nodes and weights.
        name: Of the layer; its weights are called ``name.weight`` and so on.
        module: The layer, in eval mode.
        value: The graph value that goes in.

    Returns:
        The graph value that comes out.

    Raises:
        NotCovered: The table does not state this layer.
    """
    if type(module) not in MODULES or module._forward_hooks or module._forward_pre_hooks:
        raise NotCovered(type(module).__name__)
    return MODULES[type(module)](graph, name, module, value)


def _same(graph: Graph, name: str, module: nn.Module, value: str) -> str:
    return value


def _linear(graph: Graph, name: str, module: Any, value: str) -> str:
    inputs = [value, graph.weight(f"{name}.weight", module.weight)]
    if module.bias is not None:
        inputs.append(graph.weight(f"{name}.bias", module.bias))
    return graph.add("Gemm", inputs, transB=1)


def _conv2d(graph: Graph, name: str, module: Any, value: str) -> str:
    if isinstance(module.padding, str) or module.padding_mode != "zeros":
        raise NotCovered("a convolution with padding by name or by mode")
    inputs = [value, graph.weight(f"{name}.weight", module.weight)]
    if module.bias is not None:
        inputs.append(graph.weight(f"{name}.bias", module.bias))
    return graph.add(
        "Conv",
        inputs,
        kernel_shape=list(module.kernel_size),
        strides=list(module.stride),
        pads=[*module.padding, *module.padding],
        dilations=list(module.dilation),
        group=module.groups,
    )


def _batchnorm(graph: Graph, name: str, module: Any, value: str) -> str:
    if module.running_mean is None or not module.affine:
        raise NotCovered("BatchNorm without statistics or without scale")
    parts = ("weight", "bias", "running_mean", "running_var")
    return graph.add(
        "BatchNormalization",
        [value, *(graph.weight(f"{name}.{part}", getattr(module, part)) for part in parts)],
        epsilon=module.eps,
    )


def _relu(graph: Graph, name: str, module: nn.Module, value: str) -> str:
    return graph.add("Relu", [value])


def _relu6(graph: Graph, name: str, module: nn.Module, value: str) -> str:
    low, high = graph.constant(np.float32(0)), graph.constant(np.float32(6))
    return graph.add("Clip", [value, low, high])


def _max_pool(graph: Graph, name: str, module: Any, value: str) -> str:
    kernel, stride, padding = (_pair(size) for size in (module.kernel_size, module.stride, module.padding))
    if module.ceil_mode or module.return_indices or _pair(module.dilation) != [1, 1]:
        raise NotCovered("a pooling with ceil_mode, dilation or indices")
    return graph.add("MaxPool", [value], kernel_shape=kernel, strides=stride, pads=[*padding, *padding])


def _mean_pool(graph: Graph, name: str, module: Any, value: str) -> str:
    return _adaptive_mean(graph, value, module.output_size)


def _flatten_module(graph: Graph, name: str, module: Any, value: str) -> str:
    return _flatten(graph, value, module.start_dim, module.end_dim)


def _flatten(graph: Graph, value: str, start_dim: int = 0, end_dim: int = -1) -> str:
    if (start_dim, end_dim) != (1, -1):
        raise NotCovered("a flatten that keeps more than the batch")
    return graph.add("Flatten", [value], axis=1)


def _adaptive_mean(graph: Graph, value: str, output_size: Any) -> str:
    if _pair(output_size) != [1, 1]:
        raise NotCovered("an adaptive pooling to more than one pixel")
    return graph.add("GlobalAveragePool", [value])


def _add(graph: Graph, left: str, right: str) -> str:
    if not isinstance(left, str) or not isinstance(right, str):
        raise NotCovered("an addition of a number")
    return graph.add("Add", [left, right])


def _relu_function(graph: Graph, value: str, inplace: bool = False) -> str:
    return graph.add("Relu", [value])


def _pad(graph: Graph, image: str, pad: tuple[int, ...], mode: str = "constant", value: float | None = None) -> str:
    """Torch counts from the last dimension in pairs, ONNX gives all beginnings, then all ends."""
    if mode != "constant" or value not in (None, 0) or len(pad) != 6:
        raise NotCovered("a padding other than channels and pixels with zeros")
    begins, ends = [0, *pad[4::-2]], [0, *pad[5::-2]]
    return graph.add("Pad", [image, graph.constant(np.array([*begins, *ends], np.int64))])


def _getitem(graph: Graph, value: str, index: Any) -> str:
    if not isinstance(index, tuple) or not all(isinstance(part, slice) for part in index):
        raise NotCovered("an index other than slices")
    if any(part.start is not None or part.stop is not None for part in index):
        raise NotCovered("a slice with ends")
    axes = [axis for axis, part in enumerate(index) if part.step not in (None, 1)]
    rows = [[0] * len(axes), [2**62] * len(axes), axes, [index[axis].step for axis in axes]]
    return graph.add("Slice", [value, *(graph.constant(np.array(row, np.int64)) for row in rows)])


def _pair(size: Any) -> list[int]:
    return list(size) if isinstance(size, tuple | list) else [size, size]


MODULES: dict[type[nn.Module], Callable[[Graph, str, Any, str], str]] = {
    nn.Linear: _linear,
    nn.Conv2d: _conv2d,
    nn.BatchNorm1d: _batchnorm,
    nn.BatchNorm2d: _batchnorm,
    nn.ReLU: _relu,
    nn.ReLU6: _relu6,
    nn.MaxPool2d: _max_pool,
    nn.AdaptiveAvgPool2d: _mean_pool,
    nn.Flatten: _flatten_module,
    nn.Identity: _same,
    nn.Dropout: _same,
}

FUNCTIONS: dict[Any, Callable[..., str]] = {
    operator.add: _add,
    operator.iadd: _add,
    operator.getitem: _getitem,
    torch.add: _add,
    torch.flatten: _flatten,
    torch.relu: _relu_function,
    F.relu: _relu_function,
    F.adaptive_avg_pool2d: _adaptive_mean,
    F.pad: _pad,
}
