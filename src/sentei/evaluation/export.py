"""The network as a file that anything can serve: ONNX that takes raw rows."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import nn

from sentei.data.preprocessing import Preprocessing
from sentei.errors import ModelError
from sentei.evaluation.served import ServedModel
from sentei.evaluation.tracing import traced
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

    BatchNorm is folded into the convolution before it, which scales weights and keeps zeros zero. Takes seconds.

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
        onnx = _plain_bytes(traced(model, preprocessing, rows))
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


def _plain_bytes(proto: Any) -> bytes:
    """The file without what changes from run to run: stack traces, file paths, names of Python objects."""
    _strip(proto)
    if proto.ByteSize() > LARGEST:
        raise ModelError(f"the network weighs {proto.ByteSize()} bytes, one ONNX file holds {LARGEST}; make it smaller")
    plain: bytes = proto.SerializeToString(deterministic=True)
    return plain


def _strip(message: Any) -> None:
    """Forget notes and intermediate shapes in a message of the file and in every message inside, subgraphs too."""
    for name in ("metadata_props", "doc_string", "value_info"):
        if name in message.DESCRIPTOR.fields_by_name:
            message.ClearField(name)
    for field, content in message.ListFields():
        if field.message_type is not None:
            for part in [content] if hasattr(content, "DESCRIPTOR") else content:  # one message, or a list of them
                _strip(part)
