"""Small ONNX networks, written without sentei."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper


def linear(weights: np.ndarray, shape: list[int] | None = None) -> bytes:
    """A network from float32 rows (n, d) to ``rows @ weights``, reshaped if a shape is given."""
    shape = shape or [-1, weights.shape[1]]
    nodes = [
        helper.make_node("MatMul", ["rows", "weights"], ["flat"]),
        helper.make_node("Reshape", ["flat", "shape"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, ["n", weights.shape[0]])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", *shape[1:]])],
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(np.array(shape, np.int64), "shape")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9).SerializeToString()
