"""BatchNorm statistics measured again: the cheapest big win after a network changed."""

import numpy as np
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from sentei.data.preprocessing import Preprocessing
from sentei.models.inference import in_eval_mode
from sentei.models.rows import near_equal_batches


class _Pool:
    """Mean and variance of everything that passed through one BatchNorm, batch after batch."""

    def __init__(self, layer: _BatchNorm) -> None:
        self.layer, self.momentum = layer, layer.momentum
        self.n, self.n_batches = 0, 0
        self.mean = torch.zeros(layer.num_features, dtype=torch.float64)
        self.scatter = torch.zeros(layer.num_features, dtype=torch.float64)
        self.handle = layer.register_forward_hook(self._add)
        layer.momentum, layer.training = 1.0, True  # momentum 1: the running statistics are the last batch's own

    def _add(self, layer: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        n = inputs[0].numel() // self.layer.num_features
        mean, variance = (
            buffer.double().cpu() for buffer in (self.layer.running_mean, self.layer.running_var) if buffer is not None
        )
        shift = mean - self.mean
        self.scatter += variance * (n - 1) + shift**2 * (self.n * n / (self.n + n))
        self.mean += shift * (n / (self.n + n))
        self.n, self.n_batches = self.n + n, self.n_batches + 1

    def close(self, keep: bool) -> None:
        self.handle.remove()
        self.layer.momentum = self.momentum
        if keep and self.n > 1 and self.layer.running_mean is not None and self.layer.running_var is not None:
            self.layer.running_mean.copy_(self.mean)
            self.layer.running_var.copy_(self.scatter / (self.n - 1))
            if self.layer.num_batches_tracked is not None:
                self.layer.num_batches_tracked.fill_(self.n_batches)


def reestimate_batchnorm(
    model: nn.Module, inputs: np.ndarray, preprocessing: Preprocessing, batch_size: int = 256
) -> None:
    """The running statistics of every BatchNorm are those of these rows from now on.

    Each layer normalises by its batch, as in training, and hands its exact pooled mean and unbiased variance over all
    rows to its running statistics. Dropout stays off and no gradient is taken. Without BatchNorm nothing happens.

    Args:
        model: Its BatchNorm buffers change in place, nothing else.
        inputs: Raw rows, ``(n, ...)``, two or more; from the train or the scoring split, never from calibration.
        preprocessing: From raw rows to what the network takes.
        batch_size: Rows at once; at least 2. With one batch the statistics of deep layers are exact as well.

    Raises:
        ValueError: Fewer than two rows or a batch of one row: they have no variance.

    Source:
        Pooling: Chan, Golub & LeVeque, Updating formulae and a pairwise algorithm for computing sample variances, 1979.
    """
    layers = [
        module for module in model.modules() if isinstance(module, _BatchNorm) and module.running_mean is not None
    ]
    if not layers:
        return
    if len(inputs) < 2 or batch_size < 2:
        raise ValueError(f"re-estimation needs two rows at once, received {len(inputs)} in batches of {batch_size}")
    device = next(model.parameters()).device
    with in_eval_mode(model), torch.no_grad():
        pools = [_Pool(layer) for layer in layers]
        done = False
        try:
            for batch in near_equal_batches(torch.arange(len(inputs)), batch_size):
                model(torch.from_numpy(preprocessing.apply(inputs[batch.numpy()])).to(device))
            done = True
        finally:
            for pool in pools:
                pool.close(keep=done)
