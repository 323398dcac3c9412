"""What layers with weights do to labels: they read some units and make others, or treat each one alone."""

import math
from typing import Any

import torch
from torch.nn import functional as F

from sentei.structure.groups import Product
from sentei.structure.labels import spread
from sentei.structure.tracer import Tracer, keep_whole, rule


def _bound(names: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
    """Arguments by name, None where they were left out."""
    return [args[place] if place < len(args) else kwargs.get(name) for place, name in enumerate(names.split())]


@rule(F.linear, torch._C._nn.linear)
def linear(tracer: Tracer, func: Any, args: Any, kwargs: Any, out: torch.Tensor) -> None:
    """Reads its last dimension and makes a new one."""
    x, weight, bias = _bound("input weight bias", args, kwargs)
    if not _known(tracer, weight, bias):
        return keep_whole(tracer, func, args, kwargs, out)
    _read(tracer, x, -1, weight, 1)
    made = _make(tracer, weight, 0, bias)
    tracer.label(out, spread(made, -1, out.dim()))
    tracer.products.append(Product(str(tracer.name(weight)), math.prod(out.shape[:-1])))
    return None


@rule(F.conv1d, F.conv2d, F.conv3d)
def convolution(tracer: Tracer, func: Any, args: Any, kwargs: Any, out: torch.Tensor) -> None:
    """Reads channels and makes others; of a grouped convolution whole groups leave, inputs and outputs together."""
    x, weight, bias, _, _, _, groups = _bound("input weight bias stride padding dilation groups", args, kwargs)
    if not _known(tracer, weight, bias):
        return keep_whole(tracer, func, args, kwargs, out)
    n_spatial = weight.dim() - 2
    channel = -1 - n_spatial
    made = _make(tracer, weight, 0, bias)
    if (groups or 1) == 1:
        _read(tracer, x, channel, weight, 1)
    else:
        read = tracer.channels(x, channel).reshape(groups, -1)
        tracer.tie(read, read[:, :1])
        tracer.tie(made.reshape(groups, -1), read[:, :1])
    tracer.label(out, spread(made, channel, out.dim()))
    tracer.products.append(Product(str(tracer.name(weight)), out.numel() // out.shape[channel]))
    return None


@rule(F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)
def transposed(tracer: Tracer, func: Any, args: Any, kwargs: Any, out: torch.Tensor) -> None:
    """As a convolution, with the two sides of the weight exchanged; a grouped one is kept whole."""
    names = "input weight bias stride padding output_padding groups"
    x, weight, bias, _, _, _, groups = _bound(names, args, kwargs)
    if not _known(tracer, weight, bias):
        return keep_whole(tracer, func, args, kwargs, out)
    channel = 1 - weight.dim()
    tracer.products.append(Product(str(tracer.name(weight)), x.numel() // x.shape[channel]))
    if (groups or 1) > 1:
        tracer.fix(tracer.labels(x))
        return tracer.label(out, None)
    _read(tracer, x, channel, weight, 0)
    tracer.label(out, spread(_make(tracer, weight, 1, bias), channel, out.dim()))
    return None


@rule(F.batch_norm, F.instance_norm)
def normalise_channels(tracer: Tracer, func: Any, args: Any, kwargs: Any, out: torch.Tensor) -> None:
    """Treats each channel alone."""
    order = "input running_mean running_var weight bias"
    x, *tensors = _bound(order, args, kwargs)
    known = [tensor for tensor in tensors if tensor is not None]
    if not _known(tracer, *known):
        return keep_whole(tracer, func, args, kwargs, out)
    channels = tracer.channels(x, 1)
    for tensor in known:
        slots = tracer.slots.of(str(tracer.name(tensor)), 0, len(tensor), "along")
        tracer.tie(channels, slots)
    tracer.label(out, tracer.labels(x) if channels.any() else None)
    return None


@rule(F.group_norm)
def normalise_groups(tracer: Tracer, func: Any, args: Any, kwargs: Any, out: torch.Tensor) -> None:
    """Channels that are normalised together leave together."""
    x, n_groups, weight, bias = _bound("input num_groups weight bias", args, kwargs)
    if weight is None or not _known(tracer, weight, bias):  # a module learns its number of groups from its weight
        return keep_whole(tracer, func, args, kwargs, out)
    normalise_channels(tracer, func, (x, None, None, weight, bias), {}, out)
    channels = tracer.channels(x, 1).reshape(n_groups, -1)
    tracer.tie(channels, channels[:, :1])
    return None


@rule(F.layer_norm)
def normalise_layer(tracer: Tracer, func: Any, args: Any, kwargs: Any, out: torch.Tensor) -> None:
    """Mixes the dimensions that it normalises over: what changes along them stays."""
    x, shape, *_ = _bound("input normalized_shape weight bias", args, kwargs)
    labels = tracer.labels(x)
    if labels is not None and math.prod(labels.shape[-len(shape) :]) > 1:
        return keep_whole(tracer, func, args, kwargs, out)
    tracer.label(out, labels)
    return None


@rule(F.prelu, torch.prelu)
def slope(tracer: Tracer, func: Any, args: Any, kwargs: Any, out: torch.Tensor) -> None:
    """One slope for all channels, or one for each."""
    x, weight = _bound("input weight", args, kwargs)
    if weight.numel() > 1:
        if not _known(tracer, weight):
            return keep_whole(tracer, func, args, kwargs, out)
        slots = tracer.slots.of(str(tracer.name(weight)), 0, len(weight), "along")
        tracer.tie(tracer.channels(x, 1), slots)
    tracer.label(out, tracer.labels(x))
    return None


def _known(tracer: Tracer, *tensors: Any) -> bool:
    """Whether these are the network's own tensors, and not computed from them."""
    return all(tensor is None or tracer.name(tensor) for tensor in tensors)


def _read(tracer: Tracer, x: torch.Tensor, dim: int, weight: torch.Tensor, side: int) -> None:
    slots = tracer.slots.of(str(tracer.name(weight)), side, weight.shape[side], "in")
    tracer.tie(tracer.channels(x, dim), slots)


def _make(tracer: Tracer, weight: torch.Tensor, side: int, bias: torch.Tensor | None) -> torch.Tensor:
    made = tracer.slots.of(str(tracer.name(weight)), side, weight.shape[side], "out")
    if bias is not None:
        tracer.slots.tie(made, tracer.slots.of(str(tracer.name(bias)), 0, len(bias), "out"))
    return torch.from_numpy(made)
