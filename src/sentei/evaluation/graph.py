"""An ONNX graph as it is written: nodes in order, weights by name."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

INPUT, OUTPUT, BATCH = "rows", "logits", "batch"
OPSET, IR_VERSION = 18, 10


class Graph:
    """A graph with one input of raw rows that grows node by node."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._weights: dict[str, Any] = {}

    def add(self, kind: str, inputs: Sequence[str], **attributes: Any) -> str:
        """One more node.

        Args:
            kind: ONNX operator.
            inputs: Names of graph values.
            attributes: Of the operator.

        Returns:
            The name of the value that it gives.
        """
        from onnx import helper

        value = f"v{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [value], name=f"n{len(self._nodes)}", **attributes))
        return value

    def weight(self, name: str, tensor: torch.Tensor) -> str:
        """One more tensor of the network; a layer used twice keeps one.

        Args:
            name: As in the network's state.
            tensor: Its values.

        Returns:
            The name.
        """
        return self._store(name, tensor.detach().cpu().contiguous().numpy())

    def constant(self, values: Any) -> str:
        """One more constant.

        Args:
            values: An array or a numpy scalar.

        Returns:
            A name of its own.
        """
        return self._store(f"c{len(self._weights)}", np.asarray(values))

    def _store(self, name: str, values: np.ndarray) -> str:
        from onnx import numpy_helper

        self._weights[name] = numpy_helper.from_array(values, name)
        return name

    def model(self, row_shape: Sequence[int], dtype: np.dtype[Any], n_classes: int, result: str) -> Any:
        """The finished file's content.

        Args:
            row_shape: Of one raw row.
            dtype: Of the raw rows.
            n_classes: Length of a row of logits.
            result: The graph value that is the answer.

        Returns:
            An ``onnx.ModelProto``.
        """
        from onnx import TensorProto, helper

        rows = helper.make_tensor_value_info(INPUT, helper.np_dtype_to_tensor_dtype(dtype), [BATCH, *row_shape])
        logits = helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [BATCH, n_classes])
        nodes = [*self._nodes, helper.make_node("Identity", [result], [OUTPUT], name="result")]
        graph = helper.make_graph(nodes, "sentei", [rows], [logits], list(self._weights.values()))
        return helper.make_model(
            graph,
            producer_name="sentei",
            ir_version=IR_VERSION,
            opset_imports=[helper.make_opsetid("", OPSET)],
        )
