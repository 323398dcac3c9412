"""The network as a file that anything can serve: ONNX that takes raw rows."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from sentei.data.preprocessing import Preprocessing
from sentei.errors import ModelError
from sentei.models.inference import in_eval_mode

INPUT, OUTPUT, BATCH = "rows", "logits", "batch"
DTYPES = {"uint8": torch.uint8, "float32": torch.float32}
LARGEST = 2_000_000_000
"""Bytes: protobuf holds no more in one file."""


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
        logits: torch.Tensor = self.net((rows.to(torch.float32) * self.scale - self.mean) / self.std)
        return logits


def export_onnx(
    model: nn.Module, preprocessing: Preprocessing, input_shape: Sequence[int], input_dtype: str | np.dtype[Any]
) -> bytes:
    """The network and its preprocessing as one ONNX file from raw rows to logits, for any batch size.

    Args:
        model: In eval mode as it is exported; only read.
        preprocessing: Goes into the file.
        input_shape: Of one raw row, without the batch.
        input_dtype: Of the raw rows: ``uint8`` or ``float32``.

    Returns:
        The bytes of the file: one input ``rows``, one output ``logits``, weights inside.

    Raises:
        ModelError: The network cannot be traced, or weighs more than one file can hold.

    Guarantee:
        Equal weights give equal bytes on one version of torch and onnxscript. Zeros stay zeros.
    """
    name = str(np.dtype(input_dtype))
    if name not in DTYPES:
        raise ModelError(f"raw rows are uint8 or float32, received {name}; convert the data set")
    served = _Served(model, preprocessing, 1 + len(input_shape))
    rows = torch.zeros(2, *input_shape, dtype=DTYPES[name])
    with in_eval_mode(served):
        try:
            program = torch.onnx.export(
                served,
                (rows,),
                dynamo=True,
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_shapes=({0: torch.export.Dim(BATCH)},),
                external_data=False,
                verbose=False,
            )
        except Exception as error:  # the exporter has many classes of its own
            raise ModelError(
                f"{type(model).__name__} cannot be exported to ONNX: {error}; its forward pass must be traceable "
                "by torch.export"
            ) from error
    assert program is not None
    return _plain_bytes(program.model_proto)


def _plain_bytes(proto: Any) -> bytes:
    """The file without what changes from run to run: stack traces, file paths, names of Python objects."""
    for holder in (proto, proto.graph):
        del holder.metadata_props[:]
        holder.doc_string = ""
    for items in (proto.graph.node, proto.graph.initializer, proto.graph.input, proto.graph.output):
        for item in items:
            del item.metadata_props[:]
            item.doc_string = ""
    del proto.graph.value_info[:]
    proto.graph.name = "sentei"
    if proto.ByteSize() > LARGEST:
        raise ModelError(f"the network weighs {proto.ByteSize()} bytes, one ONNX file holds {LARGEST}; make it smaller")
    plain: bytes = proto.SerializeToString(deterministic=True)
    return plain
