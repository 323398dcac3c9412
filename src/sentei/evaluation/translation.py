"""A network translated layer by layer, where every layer stands in the table of operators."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import fx, nn

from sentei.data.preprocessing import Preprocessing
from sentei.evaluation.graph import INPUT, Graph
from sentei.evaluation.operators import FUNCTIONS, NotCovered, module_operator


def translate(
    model: nn.Module, preprocessing: Preprocessing, row_shape: Sequence[int], dtype: np.dtype[Any], n_classes: int
) -> Any:
    """The network and its preprocessing as an ONNX model, written in a tenth of a second.

    Args:
        model: In eval mode; only read.
        preprocessing: Stands before the network, in its own order of float32 operations.
        row_shape: Of one raw row.
        dtype: Of the raw rows.
        n_classes: Length of a row of logits.

    Returns:
        An ``onnx.ModelProto``.

    Raises:
        NotCovered: A layer is not in the table, or the forward pass decides by the values that it sees.
    """
    try:
        traced = fx.Tracer().trace(model)
    except Exception as error:  # whatever stops the tracer, torch's exporter may still know a way
        raise NotCovered(str(error)) from error
    graph = Graph()
    values: dict[fx.Node, str] = {}
    for node in traced.nodes:
        if node.op == "output":
            return graph.model(row_shape, dtype, n_classes, fx.node.map_arg(node.args[0], values.__getitem__))
        if node.op == "placeholder":
            values[node] = _preprocess(graph, preprocessing, 1 + len(row_shape))
        else:
            values[node] = _translate_node(graph, model, node, values)
    raise NotCovered("a network without an output")


def _preprocess(graph: Graph, preprocessing: Preprocessing, n_dimensions: int) -> str:
    from onnx import TensorProto

    scale, mean, std = preprocessing.constants(n_dimensions)
    value = graph.add("Cast", [INPUT], to=TensorProto.FLOAT)
    for kind, constant in (("Mul", scale), ("Sub", mean), ("Div", std)):
        value = graph.add(kind, [value, graph.constant(constant)])
    return value


def _translate_node(graph: Graph, model: nn.Module, node: fx.Node, values: dict[fx.Node, str]) -> str:
    arguments: Any = fx.node.map_arg(node.args, values.__getitem__)
    if node.op == "call_module" and len(arguments) == 1 and not node.kwargs:
        name = str(node.target)
        return module_operator(graph, name, model.get_submodule(name), arguments[0])
    if node.op == "call_function" and node.target in FUNCTIONS and not _holds_node(node.kwargs):
        try:
            return FUNCTIONS[node.target](graph, *arguments, **node.kwargs)
        except TypeError as error:  # an argument that the table does not know
            raise NotCovered(str(error)) from error
    raise NotCovered(f"{node.op} {node.target}")


def _holds_node(kwargs: dict[str, Any]) -> bool:
    return any(isinstance(value, fx.Node) for value in kwargs.values())
