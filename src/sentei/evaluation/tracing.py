"""From a network to an ONNX graph, by torch's exporter."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

from sentei.data.preprocessing import Preprocessing
from sentei.errors import ModelError

INPUT, OUTPUT, BATCH = "rows", "logits", "batch"


class _Preprocess(nn.Module):
    """Preprocessing as the first layer, in its own order of float32 operations."""

    def __init__(self, preprocessing: Preprocessing, n_dimensions: int) -> None:
        super().__init__()
        scale, mean, std = preprocessing.constants(n_dimensions)
        self.scale = nn.Buffer(torch.tensor(scale))
        self.mean = nn.Buffer(torch.from_numpy(mean))
        self.std = nn.Buffer(torch.from_numpy(std))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return (rows.to(torch.float32) * self.scale - self.mean) / self.std


class _Served(nn.Module):
    """A network behind its preprocessing; its weights keep their names behind ``net.``."""

    def __init__(self, net: nn.Module, preprocessing: Preprocessing, n_dimensions: int) -> None:
        super().__init__()
        self.preprocess = _Preprocess(preprocessing, n_dimensions)
        self.net = net

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = self.net(self.preprocess(rows))
        return answer


def traced(model: nn.Module, preprocessing: Preprocessing, rows: np.ndarray) -> Any:
    """The network and its preprocessing as torch's exporter writes them.

    Args:
        model: In eval mode; only read.
        preprocessing: Stands before the network.
        rows: A few raw rows, at least 2, so that their number is not taken for a constant.

    Returns:
        An ``onnx.ModelProto`` with one input ``rows`` and one output ``logits``, for any batch size.

    Raises:
        ModelError: The forward pass cannot be traced.
    """
    try:
        with _without_torchs_own_warnings():
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


@contextmanager
def _without_torchs_own_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        # Torch 2.9 and 2.10 use a class of their own that they have deprecated; no caller can do anything about it.
        warnings.filterwarnings("ignore", message=r".*LeafSpec", category=FutureWarning)
        yield
