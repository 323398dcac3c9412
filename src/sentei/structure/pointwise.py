"""What functions without weights do to labels: entry by entry, over a dimension, or around a place."""

from typing import Any

import torch
from torch.nn import functional as F

from sentei.structure.labels import changing
from sentei.structure.tracer import Tracer, keep_whole, rule, tensors_in

_T = torch.Tensor
_OF_ONE = [
    *(
        F.relu,
        F.relu6,
        F.leaky_relu,
        F.elu,
        F.selu,
        F.celu,
        F.gelu,
        F.silu,
        F.mish,
        F.softplus,
        F.hardtanh,
        F.hardswish,
    ),
    *(F.hardsigmoid, F.sigmoid, F.tanh, F.logsigmoid, F.softsign, F.tanhshrink, F.hardshrink, F.softshrink),
    *(F.dropout, F.dropout1d, F.dropout2d, F.dropout3d, F.alpha_dropout, F.feature_alpha_dropout),
    *(torch.relu, torch.relu_, torch.sigmoid, torch.tanh, torch.exp, torch.sqrt, torch.rsqrt, torch.square, torch.abs),
    *(
        torch.neg,
        torch.clone,
        torch.dropout,
        torch.sign,
        torch.erf,
        torch.sin,
        torch.cos,
        torch.reciprocal,
    ),
    *(_T.relu, _T.relu_, _T.sigmoid, _T.sigmoid_, _T.tanh, _T.tanh_, _T.exp, _T.sqrt, _T.rsqrt, _T.square, _T.abs),
    *(
        _T.neg,
        _T.__neg__,
        _T.clone,
        _T.contiguous,
        _T.to,
        _T.float,
        _T.double,
        _T.half,
        _T.bfloat16,
    ),
    *(_T.detach, _T.type_as, _T.erf, _T.sin, _T.cos, _T.reciprocal, _T.sign),
]
_OF_SEVERAL = [
    *(torch.add, torch.sub, torch.mul, torch.div, torch.true_divide, torch.maximum, torch.minimum, torch.where),
    *(torch.subtract, torch.multiply, torch.divide, torch.addcmul, torch.lerp, torch.pow, torch.clamp),
    *(_T.clamp, _T.clamp_),
    *(_T.add, _T.add_, _T.__add__, _T.__radd__, _T.__iadd__, _T.sub, _T.sub_, _T.__sub__, _T.__rsub__, _T.__isub__),
    *(_T.mul, _T.mul_, _T.__mul__, _T.__rmul__, _T.__imul__, _T.div, _T.div_, _T.__truediv__, _T.__rtruediv__),
    *(_T.__itruediv__, _T.maximum, _T.minimum, _T.where, _T.pow, _T.__pow__, _T.square_, _T.multiply, _T.divide),
]
_AROUND = [
    *(
        F.max_pool1d,
        F.max_pool2d,
        F.max_pool3d,
        F.avg_pool1d,
        F.avg_pool2d,
        F.avg_pool3d,
        F.lp_pool2d,
        torch.max_pool2d,
    ),
    *(F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d, F.adaptive_max_pool2d, F.interpolate),
    *(F.upsample, torch.avg_pool1d, torch.max_pool1d),
]
_OVER = [torch.mean, torch.sum, torch.amax, torch.amin, _T.mean, _T.sum, _T.amax, _T.amin]


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
    n_spatial = (
        2 if "2d" in func.__name__ else 1 if "1d" in func.__name__ else 3 if "3d" in func.__name__ else x.dim() - 2
    )
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
