"""Bounds of functions that only move entries: the same movement, carried out on the bounds."""

from typing import Any

import torch
from torch.nn import functional as F

from sentei.errors import ModelError
from sentei.intervals.reach import Reach
from sentei.intervals.walk import Walk, rule
from sentei.structure.tracer import named, tensors_in

_T = torch.Tensor


@rule(*named(torch, "flatten reshape permute transpose swapaxes movedim squeeze unsqueeze unflatten narrow select t"))
@rule(*named(_T, "flatten reshape view permute transpose swapaxes movedim squeeze unsqueeze unflatten narrow select t"))
@rule(*named(_T, "expand repeat roll flip contiguous clone detach __getitem__ expand_as view_as reshape_as"))
@rule(*named(torch, "roll flip clone detach"), *named(F, "pixel_shuffle pixel_unshuffle channel_shuffle"))
def move(walk: Walk, func: Any, args: Any, kwargs: Any, out: torch.Tensor) -> Reach:
    """Whatever stands beside the tensor says where its entries go."""
    form_only = func in (_T.expand_as, _T.view_as, _T.reshape_as)
    if any(True for _ in tensors_in((args[1:], kwargs))) and not form_only:
        raise ModelError(walk.refusal(func, "tensors choose its entries"))
    return walk.reach(func, args[0]).moved(lambda bound: func(bound, *args[1:], **kwargs))


@rule(*named(torch, "chunk split unbind tensor_split"), *named(_T, "chunk split unbind tensor_split"))
def part(walk: Walk, func: Any, args: Any, kwargs: Any, out: Any) -> list[Reach]:
    """Several tensors made of one."""
    if any(True for _ in tensors_in((args[1:], kwargs))):
        raise ModelError(walk.refusal(func, "tensors choose its parts"))
    return list(walk.reach(func, args[0]).parted(lambda bound: func(bound, *args[1:], **kwargs)))


@rule(torch.cat, torch.concat, torch.concatenate, torch.stack)
def join(walk: Walk, func: Any, args: Any, kwargs: Any, out: torch.Tensor) -> Reach:
    """One tensor made of several."""
    tensors = args[0] if args else kwargs["tensors"]
    others = {name: value for name, value in kwargs.items() if name != "tensors"}
    first, *rest = (walk.reach(func, tensor) for tensor in tensors)
    return first.joined(rest, lambda bounds: func(bounds, *args[1:], **others))


@rule(F.pad, torch._C._nn.pad)
def pad(walk: Walk, func: Any, args: Any, kwargs: Any, out: torch.Tensor) -> Reach:
    """A frame of one number, the same in both networks, or of entries nearby."""
    given = dict(zip(("input", "pad", "mode", "value"), args, strict=False)) | kwargs
    framed, mode, value = given["pad"], given.get("mode", "constant"), given.get("value") or 0.0
    if mode != "constant":
        return walk.reach(func, given["input"]).moved(lambda bound: F.pad(bound, framed, mode))
    return walk.reach(func, given["input"]).moved(
        lambda bound: F.pad(bound, framed, value=value), lambda delta: F.pad(delta, framed)
    )
