"""BatchNorm over the batch of all ranks: what it computes does not depend on how many of them there are."""

from types import MethodType
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


class CommonStatistics:
    """As long as this holds, every BatchNorm in training mode normalises by the batch of all ranks.

    Torch's own SyncBatchNorm does the same on accelerators only.

    Args:
        model: Each of its BatchNorm gets another forward pass; with one rank nothing changes.
        n_ranks: How many processes call the network together.

    Guarantee:
        Outputs, gradients and running statistics are those of one process on the whole batch, but for rounding.
    """

    def __init__(self, model: nn.Module, n_ranks: int) -> None:
        self._layers = [module for module in model.modules() if isinstance(module, _BatchNorm)] if n_ranks > 1 else []
        for layer in self._layers:
            layer.forward = MethodType(_forward, layer)  # type: ignore[method-assign]  # until release

    def release(self) -> None:
        """Every layer is as it was."""
        for layer in self._layers:
            del layer.forward
        self._layers = []


def _forward(self: _BatchNorm, inputs: torch.Tensor) -> torch.Tensor:
    if not self.training:
        return type(self).forward(self, inputs)
    self._check_input_dim(inputs)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    output, mean, variance, n = _Normalised.apply(inputs, self.weight, self.bias, self.eps)
    if self.track_running_stats and self.running_mean is not None and self.running_var is not None:
        with torch.no_grad():
            rate = _rate(self)
            self.running_mean.lerp_(mean, rate)
            self.running_var.lerp_(variance * (n / (n - 1)), rate)
    return output  # type: ignore[no-any-return]  # what apply returns is untyped


def _rate(layer: _BatchNorm) -> float:
    """How much of the running statistics this batch replaces; without a momentum all batches count alike."""
    assert layer.num_batches_tracked is not None
    layer.num_batches_tracked.add_(1)
    return 1.0 / float(layer.num_batches_tracked) if layer.momentum is None else layer.momentum


class _Normalised(torch.autograd.Function):
    """(x - mean) / sqrt(variance + eps) weight + bias, by channel over the rows of all ranks.

    With n elements in a channel, the gradient of x is weight / sqrt(variance + eps) (g - sum(g) / n - y sum(g y) / n)
    for the normalised y and the gradient g; the sums go over all ranks, because each rank's loss depends on all rows.
    """

    @staticmethod
    def forward(ctx: Any, inputs: torch.Tensor, weight: Any, bias: Any, eps: float) -> Any:
        x, dims, shape = inputs.float(), _others(inputs), _by_channel(inputs)
        n_here = torch.full((1,), x.numel() // x.shape[1], dtype=x.dtype, device=x.device)
        sums = _total(torch.cat([x.sum(dims), n_here]))
        mean, n = sums[:-1] / sums[-1], sums[-1]
        centred = x - mean.view(shape)
        variance = _total((centred * centred).sum(dims)) / n
        scale = (variance + eps).rsqrt()
        normal = centred * scale.view(shape)
        ctx.save_for_backward(normal, weight, scale, n)
        ctx.mark_non_differentiable(mean, variance, n)
        output = normal if weight is None else torch.addcmul(bias.view(shape), normal, weight.view(shape))
        return output.to(inputs.dtype), mean, variance, n

    @staticmethod
    def backward(ctx: Any, *outer: torch.Tensor) -> Any:
        normal, weight, scale, n = ctx.saved_tensors
        g, dims, shape = outer[0].float(), _others(normal), _by_channel(normal)
        of_bias, of_weight = g.sum(dims), (g * normal).sum(dims)
        sums = _total(torch.stack([of_bias, of_weight])) / n
        of_inputs = (g - sums[0].view(shape) - normal * sums[1].view(shape)) * scale.view(shape)
        if weight is None:
            return of_inputs.to(outer[0].dtype), None, None, None
        return (of_inputs * weight.view(shape)).to(outer[0].dtype), of_weight, of_bias, None


def _total(sums: torch.Tensor) -> torch.Tensor:
    dist.all_reduce(sums)
    return sums


def _others(inputs: torch.Tensor) -> list[int]:
    """All dimensions but that of the channels."""
    return [0, *range(2, inputs.dim())]


def _by_channel(inputs: torch.Tensor) -> list[int]:
    return [1, -1, *[1] * (inputs.dim() - 2)]
