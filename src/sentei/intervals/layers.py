"""Bounds of layers with weights, and of batch normalisation."""

from typing import Any

import torch
from torch.nn import functional as F

from sentei.errors import ModelError
from sentei.intervals.activations import reciprocal_root
from sentei.intervals.reach import Reach
from sentei.intervals.walk import Walk, rule


def bound(names: str, args: tuple[Any, ...], kwargs: dict[str, Any], **defaults: Any) -> list[Any]:
    """Arguments by name; those that were left out have these defaults, or None."""
    return [
        args[place] if place < len(args) else kwargs.get(name, defaults.get(name))
        for place, name in enumerate(names.split())
    ]


@rule(F.linear, torch._C._nn.linear)
def linear(walk: Walk, func: Any, args: Any, kwargs: Any, out: torch.Tensor) -> Reach:
    """Sums over the last dimension."""
    x, weight, bias = bound("input weight bias", args, kwargs)
    reach, values, offsets = walk.reach(func, x), walk.weights(func, weight), walk.weights(func, bias)
    assert values is not None
    made = reach.times(F.linear, values, offsets, weight.shape[1])
    walk.last_layer = out, reach, values, offsets
    return walk.after_layer(str(walk.name(weight)), offsets, reach, made)


@rule(F.conv1d, F.conv2d, F.conv3d, F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)
def convolution(walk: Walk, func: Any, args: Any, kwargs: Any, out: torch.Tensor) -> Reach:
    """Any stride, padding, dilation and groups: the convolution itself is linear in its input and in its weight."""
    x, weight, bias = bound("input weight bias", args, kwargs)
    options = {name: value for name, value in kwargs.items() if name not in ("input", "weight", "bias")}
    values, offsets = walk.weights(func, weight), walk.weights(func, bias)
    assert values is not None
    n = max(weight[0].numel(), weight[:, 0].numel())  # of a transposed one, too
    return walk.reach(func, x).times(lambda x, w, b: func(x, w, b, *args[3:], **options), values, offsets, n)


@rule(F.batch_norm)
def normalise(walk: Walk, func: Any, args: Any, kwargs: Any, out: torch.Tensor) -> Reach:
    """(x - mean) / sqrt(var + eps) * weight + bias, with the running statistics."""
    x, mean, var, weight, bias, training, _, eps = bound(
        "input running_mean running_var weight bias training momentum eps", args, kwargs, training=False, eps=1e-5
    )
    if training or mean is None or var is None:
        raise ModelError(walk.refusal(func, "it normalises by the batch itself, not by running statistics"))
    shape = [1, -1] + [1] * (x.dim() - 2)

    def channels(tensor: torch.Tensor) -> Reach:
        return walk.reach(func, tensor).moved(lambda values: values.reshape(shape))

    scale = (channels(var) + walk.reach(func, eps)).through(reciprocal_root())
    if weight is not None:
        scale = scale * channels(weight)
    made = (walk.reach(func, x) + -channels(mean)) * scale
    return made + channels(bias) if bias is not None else made
