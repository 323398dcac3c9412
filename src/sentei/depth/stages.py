"""Linear layers as values, and the algebra by which several of them are one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from math import gcd
from typing import Any

import torch
from torch import nn

Pair = tuple[int, int]


@dataclass(frozen=True)
class Stage:
    """A convolution of images; a linear layer is one with a kernel of one entry.

    Attributes:
        weight: ``(n_out, n_in / groups, height, width)``.
        bias: ``(n_out,)``, if there is one.
        stride: Of rows and columns, as all that follows.
        padding: Zeros on each side.
        dilation: Steps between the entries of the kernel.
        groups: Of channels.
    """

    weight: torch.Tensor
    bias: torch.Tensor | None = None
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1

    @property
    def kernel(self) -> Pair:
        """Height and width of the kernel, in entries."""
        return (self.weight.shape[2], self.weight.shape[3])

    @property
    def pointwise(self) -> bool:
        """Whether it looks at one position, and adds none."""
        return self.kernel == (1, 1) and self.padding == (0, 0)

    @property
    def n_parameters(self) -> int:
        """Entries of weight and bias."""
        return self.weight.numel() + (0 if self.bias is None else self.bias.numel())


def stage_of(layer: nn.Linear | nn.Conv2d) -> Stage:
    """A layer's weights, in double precision and apart from the layer."""
    weight = layer.weight.detach().double()
    bias = None if layer.bias is None else layer.bias.detach().double()
    if isinstance(layer, nn.Linear):
        return Stage(weight[:, :, None, None], bias)
    stride, padding, dilation = (_pair(size) for size in (layer.stride, layer.padding, layer.dilation))
    return Stage(weight, bias, stride, padding, dilation, layer.groups)


def identity_stage(n_channels: int, like: torch.Tensor) -> Stage:
    """The convolution that hands on what it gets."""
    return Stage(torch.ones(n_channels, 1, 1, 1, dtype=like.dtype, device=like.device), groups=n_channels)


def _pair(size: Any) -> Pair:
    return (int(size[0]), int(size[1]))


def with_norm(stage: Stage, norm: Any) -> Stage:
    """A layer and the BatchNorm behind it, in eval mode, as one layer.

    Each output y becomes gamma (y - mean) / sqrt(var + eps) + beta, so that its weights are scaled by
    gamma / sqrt(var + eps).
    """
    scale = (norm.running_var.double() + norm.eps).rsqrt()
    if norm.weight is not None:
        scale = scale * norm.weight.detach().double()
    bias = -norm.running_mean.double() if stage.bias is None else stage.bias - norm.running_mean.double()
    bias = bias * scale + (0 if norm.bias is None else norm.bias.detach().double())
    return replace(stage, weight=stage.weight * scale[:, None, None, None], bias=bias)


def composed(first: Stage, second: Stage) -> Stage:
    """One convolution that does what two do one after the other, away from the borders.

    Kernels grow to k1 + (k2 - 1) s1, strides multiply, and the padding is p1 + p2 s1. Where the second one pads, what
    it reads beyond the first one's output is what the first one would have given there, instead of zero.

    Args:
        first: Reads the input.
        second: Reads the first one's output.

    Returns:
        A convolution whose groups are the common divisor of both.
    """
    groups = gcd(first.groups, second.groups)
    a, b = _grouped(first, groups), _grouped(second, groups)
    steps = [_step(first, second, axis) for axis in (0, 1)]
    jump = [second.dilation[axis] * first.stride[axis] for axis in (0, 1)]
    size = [
        (jump[x] * (second.kernel[x] - 1) + first.dilation[x] * (first.kernel[x] - 1)) // steps[x] + 1 for x in (0, 1)
    ]
    weight = a.new_zeros(groups, b.shape[1], a.shape[2], *size)
    for u in range(second.kernel[0]):
        for v in range(second.kernel[1]):
            rows = _places(u * jump[0] // steps[0], first, 0, steps[0])
            columns = _places(v * jump[1] // steps[1], first, 1, steps[1])
            weight[..., rows, columns] += torch.einsum("gom,gmikl->goikl", b[..., u, v], a)
    return Stage(
        weight.flatten(0, 1),
        _composed_bias(first, second, b),
        (first.stride[0] * second.stride[0], first.stride[1] * second.stride[1]),
        (
            first.padding[0] + second.padding[0] * first.stride[0],
            first.padding[1] + second.padding[1] * first.stride[1],
        ),
        (steps[0], steps[1]),
        groups,
    )


def _step(first: Stage, second: Stage, axis: int) -> int:
    """The dilation of two convolutions together: that of the only one that has a kernel to spread."""
    if first.kernel[axis] == 1:
        return second.dilation[axis] * first.stride[axis] if second.kernel[axis] > 1 else 1
    return first.dilation[axis] if second.kernel[axis] == 1 else 1


def _places(start: int, first: Stage, axis: int, step: int) -> slice:
    apart = max(first.dilation[axis] // step, 1)
    return slice(start, start + apart * (first.kernel[axis] - 1) + 1, apart)


def _composed_bias(first: Stage, second: Stage, b: torch.Tensor) -> torch.Tensor | None:
    if first.bias is None:
        return second.bias
    through = torch.einsum("gomkl,gm->go", b, first.bias.view(b.shape[0], -1)).flatten()
    return through if second.bias is None else through + second.bias


def _grouped(stage: Stage, groups: int) -> torch.Tensor:
    """Its weight with fewer groups, ``(groups, n_out / groups, n_in / groups, height, width)``; zeros lie between."""
    n_out, n_in = stage.weight.shape[:2]
    within = stage.groups // groups
    apart = stage.weight.reshape(groups, within, n_out // stage.groups, n_in, *stage.kernel)
    eye = torch.eye(within, dtype=apart.dtype, device=apart.device)
    return torch.einsum("groikl,rs->grosikl", apart, eye).reshape(groups, n_out // groups, within * n_in, *stage.kernel)


def summed(stages: Sequence[Stage]) -> Stage:
    """One convolution that gives the sum of what several ones of equal strides give for the same input."""
    if len(stages) == 1:
        return stages[0]
    groups = reduce(gcd, (stage.groups for stage in stages))
    padding = [max(stage.padding[axis] for stage in stages) for axis in (0, 1)]
    behind = [max(_extent(stage, axis) - stage.padding[axis] for stage in stages) for axis in (0, 1)]
    like = _grouped(stages[0], groups)
    weight = like.new_zeros(*like.shape[:3], padding[0] + behind[0], padding[1] + behind[1])
    for stage in stages:
        weight[..., _spread(stage, 0, padding[0]), _spread(stage, 1, padding[1])] += _grouped(stage, groups)
    biases = [stage.bias for stage in stages if stage.bias is not None]
    bias = torch.stack(biases).sum(0) if biases else None
    return Stage(weight.flatten(0, 1), bias, stages[0].stride, (padding[0], padding[1]), (1, 1), groups)


def _extent(stage: Stage, axis: int) -> int:
    return stage.dilation[axis] * (stage.kernel[axis] - 1) + 1


def _spread(stage: Stage, axis: int, padding: int) -> slice:
    start = padding - stage.padding[axis]
    return slice(start, start + _extent(stage, axis), stage.dilation[axis])
