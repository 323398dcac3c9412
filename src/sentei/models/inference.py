"""What a network says about rows, without learning from them."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from sentei.data.preprocessing import Preprocessing


@contextmanager
def in_eval_mode(model: nn.Module) -> Iterator[None]:
    """The network in eval mode for as long as the block runs; every module then has its own mode back.

    Args:
        model: Its mode changes in place.

    Yields:
        Nothing.
    """
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def logits(model: nn.Module, inputs: np.ndarray, preprocessing: Preprocessing, batch_size: int = 1024) -> np.ndarray:
    """The network's logits for raw rows, in eval mode.

    Args:
        model: On any device; its mode and its statistics stay as they are.
        inputs: Raw rows, ``(n, ...)`` uint8 or float32.
        preprocessing: From raw rows to what the network takes.
        batch_size: Rows at once; at least 1.

    Returns:
        ``(n, n_classes)`` float32; of a network for segmentation ``(n, n_classes, height, width)``.
    """
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    with in_eval_mode(model), torch.inference_mode():
        parts = [
            model(torch.from_numpy(preprocessing.apply(inputs[start : start + batch_size])).to(device)).float().cpu()
            for start in range(0, max(len(inputs), 1), batch_size)
        ]
    return torch.cat(parts).numpy()
