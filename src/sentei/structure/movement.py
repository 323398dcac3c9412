"""What functions that only move entries do to labels: the same movement, carried out on the labels."""

from typing import Any

import torch
from torch.nn import functional as F

from sentei.structure.labels import changing, compact, goes_on, spread
from sentei.structure.tracer import Tracer, keep_whole, named, rule, tensors_in

_T = torch.Tensor
_MOVES = [
    *named(torch, "flatten reshape permute transpose swapaxes swapdims movedim moveaxis squeeze unsqueeze roll flip t"),
    *named(torch, "narrow select unflatten tile repeat_interleave index_select broadcast_to"),
    *named(F, "pixel_unshuffle channel_shuffle"),
    *named(_T, "flatten reshape view permute transpose swapaxes swapdims movedim squeeze unsqueeze roll flip t narrow"),
    *named(
        _T, "select unflatten expand expand_as repeat repeat_interleave index_select __getitem__ reshape_as view_as"
    ),
    *named(_T, "broadcast_to tile"),
]
_AS: dict[Any, Any] = {_T.expand_as: _T.expand, _T.reshape_as: _T.reshape, _T.view_as: _T.reshape}
"""What takes a shape from another tensor, and what takes it as numbers."""
_PARTS = [
    *named(torch, "chunk split unbind tensor_split split_with_sizes"),
    *named(_T, "chunk split unbind tensor_split"),
]


@rule(*_MOVES)
def move(tracer: Tracer, func: Any, args: Any, kwargs: Any, out: Any) -> None:
    """Entries change their places; the labels go with them, if the movement does the same to fewer units."""
    x = next(tensors_in((args, kwargs)))
    labels = tracer.labels(x)
    moved = None if labels is None else _moved(func, args, kwargs, x, labels)
    if labels is None or moved is None or not _same_way(labels, moved):
        return keep_whole(tracer, func, args, kwargs, out)
    tracer.label(out, moved)
    return None


@rule(F.pad, torch._C._nn.pad)
def pad(tracer: Tracer, func: Any, args: Any, kwargs: Any, out: torch.Tensor) -> None:
    """A frame around each channel leaves with it; fixed entries come beside the channels themselves."""
    given = dict(zip(("input", "pad", "mode"), args, strict=False)) | kwargs
    labels = tracer.labels(given["input"])
    if labels is None:
        return keep_whole(tracer, func, args, kwargs, out)
    ends = list(given["pad"])  # from the last dimension on, two for each
    beside = [end if labels.shape[-1 - place // 2] > 1 else 0 for place, end in enumerate(ends)]
    moved = F.pad(labels, beside)
    copied = any(beside) and given.get("mode", "constant") != "constant"
    if copied or not _same_way(labels, moved):
        return keep_whole(tracer, func, args, kwargs, out)
    return tracer.label(out, moved)


@rule(F.pixel_shuffle, torch.pixel_shuffle)
def shuffle_pixels(tracer: Tracer, func: Any, args: Any, kwargs: Any, out: torch.Tensor) -> None:
    """Channels that become the pixels of one channel leave together."""
    x = next(tensors_in((args, kwargs)))
    channels = tracer.channels(x, -3).reshape(out.shape[-3], -1)
    tracer.tie(channels, channels[:, :1])
    tracer.label(out, spread(channels[:, 0], -3, out.dim()) if channels.any() else None)


@rule(torch.cat, torch.concat, torch.concatenate)
def join(tracer: Tracer, func: Any, args: Any, kwargs: Any, out: torch.Tensor) -> None:
    """Units of one tensor after those of another."""
    tensors = list(args[0] if args else kwargs["tensors"])
    dim = (args[1] if len(args) > 1 else kwargs.get("dim", kwargs.get("axis", 0))) % out.dim()
    found = [tracer.labels(tensor) for tensor in tensors]
    parts = [torch.zeros([1] * out.dim(), dtype=torch.int64, device="cpu") if part is None else part for part in found]
    shape = [max(part.shape[axis] for part in parts) for axis in range(out.dim())]
    if not any(part is not None for part in found):
        return tracer.label(out, None)
    sized = [part.expand(*shape[:dim], len_, *shape[dim + 1 :]) for part, len_ in _sizes(parts, tensors, dim)]
    joined = compact(torch.cat(sized, dim))
    if len(changing(joined)) > 1:
        return keep_whole(tracer, func, args, kwargs, out)
    return tracer.label(out, joined)


def _sizes(parts: list[torch.Tensor], tensors: list[torch.Tensor], dim: int) -> list[tuple[torch.Tensor, int]]:
    return [(part, tensor.shape[dim]) for part, tensor in zip(parts, tensors, strict=True)]


@rule(*_PARTS)
def part(tracer: Tracer, func: Any, args: Any, kwargs: Any, out: Any) -> None:
    """Equal parts: units at equal places of all parts leave together, so that the parts stay equal."""
    x = next(tensors_in((args, kwargs)))
    labels = tracer.labels(x)
    if labels is None:
        return keep_whole(tracer, func, args, kwargs, out)
    full = func(labels.expand(x.shape), *args[1:], **kwargs)
    parts = [compact(one) for one in full]
    cut = sum(one.shape[changing(labels)[0]] for one in full) if changing(labels) and full[0].dim() == x.dim() else 0
    whole = all(one.shape == labels.shape and bool((one == labels).all()) for one in parts)
    equal = cut == x.shape[changing(labels)[0]] and len({one.shape for one in full}) == 1 if cut else False
    if not whole and not equal:
        return keep_whole(tracer, func, args, kwargs, out)
    for one in parts if not whole else ():
        tracer.tie(parts[0].reshape(-1), one.reshape(-1).numpy())
    for tensor, one in zip(out, parts, strict=True):
        tracer.label(tensor, one)
    return None


def _moved(func: Any, args: Any, kwargs: Any, x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor | None:
    """The movement carried out on labels; None where it needs more than the tensor, as indices that are tensors do."""
    if func in _AS:
        return compact(_AS[func](labels.expand(x.shape), *list(tensors_in((args, kwargs)))[-1].shape))
    if any(tensor is not x for tensor in tensors_in((args[1:], kwargs))):
        return None
    swapped = (labels.expand(x.shape), *args[1:]) if args else ()
    full = func(*swapped, **(kwargs if args else {**kwargs, "input": labels.expand(x.shape)}))
    return compact(full)


def _same_way(before: torch.Tensor, after: torch.Tensor) -> bool:
    """Whether the labels change along one dimension at most, and go on in their order."""
    if len(changing(before)) > 1 or len(changing(after)) > 1:
        return False
    return goes_on(before.reshape(-1), after.reshape(-1))
