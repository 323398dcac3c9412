"""The network as a file that anything can serve: ONNX that takes raw rows."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from sentei.data.preprocessing import Preprocessing
from sentei.errors import ModelError
from sentei.evaluation.graph import BATCH, INPUT, OUTPUT
from sentei.evaluation.operators import NotCovered
from sentei.evaluation.served import ServedModel
from sentei.evaluation.translation import translate
from sentei.models.inference import in_eval_mode, logits

DTYPES = ("uint8", "float32")
LARGEST = 2_000_000_000
"""Bytes: protobuf holds no more in one file."""
AGREEMENT = 1e-4
"""Largest difference between torch's logits and the served ones, as a share of the largest logit (at least 1)."""


def export_onnx(
    model: nn.Module, preprocessing: Preprocessing, input_shape: Sequence[int], input_dtype: str | np.dtype[Any]
) -> bytes:
    """The network and its preprocessing as one ONNX file from raw rows to logits, for any batch size.

    Networks of known layers are translated directly; all others go through torch's exporter, which takes seconds.

    Args:
        model: In eval mode as it is exported; only read.
        preprocessing: Goes into the file.
        input_shape: Of one raw row, without the batch.
        input_dtype: Of the raw rows: ``uint8`` or ``float32``.

    Returns:
        The bytes of the file: one input ``rows``, one output ``logits``, weights inside.

    Raises:
        ModelError: The network cannot be traced, weighs more than one file can hold, or the exported file answers
            differently from the network.

    Guarantee:
        Equal weights give equal bytes on one version of torch, onnx and onnxscript. Zeros stay zeros. The file was run
        and agreed with torch before it was handed on.
    """
    if str(np.dtype(input_dtype)) not in DTYPES:
        raise ModelError(f"raw rows are uint8 or float32, received {np.dtype(input_dtype)}; convert the data set")
    rows = _probe(tuple(input_shape), np.dtype(input_dtype))
    expected = logits(model, rows, preprocessing)
    with in_eval_mode(model):
        try:
            proto = translate(model, preprocessing, input_shape, np.dtype(input_dtype), expected.shape[1])
        except NotCovered:
            proto = _export_by_torch(model, preprocessing, rows)
    onnx = _plain_bytes(proto)
    _refuse_disagreement(ServedModel(onnx).logits(rows), expected)
    return onnx


def _probe(row_shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray:
    """A few rows with every kind of value, always the same."""
    rows = np.random.default_rng(0).integers(0, 256, (8, *row_shape)).astype(dtype)
    return rows if dtype == np.uint8 else rows / np.float32(128) - np.float32(1)


def _refuse_disagreement(served: np.ndarray, expected: np.ndarray) -> None:
    limit = AGREEMENT * max(1.0, float(np.abs(expected).max()))
    distance = float(np.abs(served - expected).max()) if served.shape == expected.shape else float("nan")
    if not distance <= limit:  # NaN is never close
        raise ModelError(
            f"the exported file gives logits {served.shape} that differ from torch's {expected.shape} by {distance}, "
            f"at most {limit} was expected; do not serve it, and check the network for layers that depend on its mode"
        )


class _Served(nn.Module):
    """A network behind its preprocessing, in the same order of float32 operations."""

    def __init__(self, net: nn.Module, preprocessing: Preprocessing, n_dimensions: int) -> None:
        super().__init__()
        self.net = net
        scale, mean, std = preprocessing.constants(n_dimensions)
        self.scale = nn.Buffer(torch.tensor(scale))
        self.mean = nn.Buffer(torch.from_numpy(mean))
        self.std = nn.Buffer(torch.from_numpy(std))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = self.net((rows.to(torch.float32) * self.scale - self.mean) / self.std)
        return answer


def _export_by_torch(model: nn.Module, preprocessing: Preprocessing, rows: np.ndarray) -> Any:
    try:
        program = torch.onnx.export(
            _Served(model, preprocessing, rows.ndim).eval(),
            (torch.from_numpy(rows),),
            dynamo=True,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=({0: torch.export.Dim(BATCH)},),
            external_data=False,
            verbose=False,
        )
    except Exception as error:  # the exporter has many classes of its own
        raise ModelError(
            f"{type(model).__name__} cannot be exported to ONNX: {error}; "
            "its forward pass must be traceable by torch.export"
        ) from error
    assert program is not None
    return program.model_proto


def _plain_bytes(proto: Any) -> bytes:
    """The file without what changes from run to run: stack traces, file paths, names of Python objects."""
    items = [proto, proto.graph, *proto.graph.node, *proto.graph.initializer, *proto.graph.input, *proto.graph.output]
    for item in [*items, *proto.functions]:
        del item.metadata_props[:]
        item.doc_string = ""
    del proto.graph.value_info[:]
    if proto.ByteSize() > LARGEST:
        raise ModelError(f"the network weighs {proto.ByteSize()} bytes, one ONNX file holds {LARGEST}; make it smaller")
    plain: bytes = proto.SerializeToString(deterministic=True)
    return plain
