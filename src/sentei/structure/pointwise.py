"""What functions without weights do to labels: entry by entry, over a dimension, or around a place."""

from typing import Any

import torch
from torch.nn import functional as F

from sentei.structure.labels import changing
from sentei.structure.tracer import Tracer, keep_whole, named, rule, tensors_in

_T = torch.Tensor
_OF_ONE = [
    *named(
        F, "relu relu6 leaky_relu elu selu celu gelu silu mish softplus hardtanh hardswish hardsigmoid sigmoid tanh"
    ),
    *named(F, "logsigmoid softsign tanhshrink hardshrink softshrink dropout dropout1d dropout2d dropout3d"),
    *named(F, "alpha_dropout feature_alpha_dropout"),
    *named(torch, "relu relu_ sigmoid tanh exp sqrt rsqrt square abs neg clone dropout sign erf sin cos reciprocal"),
    *named(
        _T, "relu relu_ sigmoid sigmoid_ tanh tanh_ exp sqrt rsqrt square abs neg __neg__ clone contiguous to float"
    ),
    *named(_T, "double half bfloat16 detach type_as erf sin cos reciprocal sign"),
]
_OF_SEVERAL = [
    *named(torch, "add sub mul div true_divide maximum minimum where subtract multiply divide addcmul lerp pow clamp"),
    *named(_T, "clamp clamp_ add add_ __add__ __radd__ __iadd__ sub sub_ __sub__ __rsub__ __isub__ mul mul_ __mul__"),
    *named(_T, "__rmul__ __imul__ div div_ __truediv__ __rtruediv__ __itruediv__ maximum minimum where pow __pow__"),
    *named(_T, "square_ multiply divide"),
]
_AROUND = [
    *named(F, "max_pool1d max_pool2d max_pool3d avg_pool1d avg_pool2d avg_pool3d lp_pool2d adaptive_avg_pool1d"),
    *named(F, "adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool2d interpolate upsample"),
    *named(torch, "max_pool2d avg_pool1d max_pool1d"),
]
_OVER = [*named(torch, "mean sum amax amin"), *named(_T, "mean sum amax amin")]


@rule(*_OF_ONE)
def of_one(tracer: Tracer, func: Any, args: Any, kwargs: Any, out: Any) -> None:
    """Each entry by itself: a unit that has left leaves nothing behind."""
    x = next(tensors_in((args, kwargs)))
    tracer.label(out, tracer.labels(x))


@rule(*_OF_SEVERAL)
def of_several(tracer: Tracer, func: Any, args: Any, kwargs: Any, out: Any) -> None:
    """Entries at equal places meet: their units leave together."""
    tensors = list(tensors_in((args, kwargs)))
    found = [tracer.labels(tensor) for tensor in tensors]
    if not isinstance(out, _T) or all(labels is None for labels in found):
        return keep_whole(tracer, func, args, kwargs, out)
    labelled = [_aligned(labels, out.dim()) for labels in found if labels is not None]
    varied = {dim - out.dim() for labels in labelled for dim in changing(labels)}
    clash = any(_stays(tensor, labels, dim) for tensor, labels in zip(tensors, found, strict=True) for dim in varied)
    if clash or len(varied) > 1:
        return keep_whole(tracer, func, args, kwargs, out)
    tracer.label(out, _met(tracer, labelled))
    return None


def _aligned(labels: torch.Tensor, n_dims: int) -> torch.Tensor:
    return labels.reshape([1] * (n_dims - labels.dim()) + list(labels.shape))


def _stays(tensor: torch.Tensor, labels: torch.Tensor | None, dim: int) -> bool:
    """Whether a tensor keeps its size in a dimension, counted from the end, in which others get smaller."""
    if -dim > tensor.dim() or tensor.shape[dim] == 1:
        return False
    return labels is None or labels.shape[dim] == 1


def _met(tracer: Tracer, labelled: list[torch.Tensor]) -> torch.Tensor:
    """The labels of the result; whatever is read by all units at once stays."""
    wide = [labels for labels in labelled if changing(labels)] or labelled
    for labels in labelled:
        if labels.numel() != wide[0].numel():
            tracer.fix(labels)  # one unit that acts on many, such as a mask over all channels
    for labels in wide[1:]:
        tracer.tie(wide[0].reshape(-1), labels.reshape(-1).numpy())
    return wide[0]


@rule(*_AROUND)
def around(tracer: Tracer, func: Any, args: Any, kwargs: Any, out: Any) -> None:
    """Places around one another, channel by channel."""
    x = next(tensors_in((args, kwargs)))
    labels = tracer.labels(x)
    n_spatial = next((n for n in (1, 2, 3) if f"{n}d" in func.__name__), x.dim() - 2)
    if not isinstance(out, torch.Tensor) or (labels is not None and max(labels.shape[-n_spatial:]) > 1):
        return keep_whole(tracer, func, args, kwargs, out)
    tracer.label(out, labels)
    return None


@rule(*_OVER)
def over(tracer: Tracer, func: Any, args: Any, kwargs: Any, out: Any) -> None:
    """A whole dimension becomes one number: what changes along it stays."""
    x = next(tensors_in((args, kwargs)))
    labels = tracer.labels(x)
    dims = kwargs.get("dim", kwargs.get("axis", args[1] if len(args) > 1 else None))
    gone = (
        range(x.dim())
        if dims in (None, (), [])
        else [dim % x.dim() for dim in ([dims] if isinstance(dims, int) else dims)]
    )
    if labels is None or any(labels.shape[dim] > 1 for dim in gone):
        return keep_whole(tracer, func, args, kwargs, out)
    kept = [size for dim, size in enumerate(labels.shape) if out.dim() == x.dim() or dim not in gone]
    tracer.label(out, labels.reshape(kept))
    return None
