"""Bounds of entry-wise functions, sums, products and pooling."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional as F

from sentei.errors import ModelError
from sentei.intervals import activations
from sentei.intervals.activation import Activation
from sentei.intervals.layers import bound
from sentei.intervals.reach import Reach
from sentei.intervals.walk import Walk, rule
from sentei.structure.tracer import named

_T = torch.Tensor


def _entry_wise(choose: Callable[..., Activation], names: str = "input", **defaults: Any) -> Any:
    """The rule of a function of one tensor; other arguments choose the activation."""

    def apply(walk: Walk, func: Any, args: Any, kwargs: Any, out: torch.Tensor) -> Reach:
        x, *options = bound(names, args, kwargs, **defaults)
        return walk.reach(func, x).through(choose(*options))

    return apply


def _leaky(slope: float) -> Activation:
    return activations.leaky(slope)


def _clamp(least: float | None, most: float | None) -> Activation:
    return activations.clamp(-math.inf if least is None else least, math.inf if most is None else most)


rule(F.relu, torch.relu, torch.relu_, _T.relu, _T.relu_)(_entry_wise(lambda: _clamp(0, None)))
rule(F.relu6)(_entry_wise(lambda: _clamp(0, 6)))
rule(F.leaky_relu)(_entry_wise(_leaky, "input negative_slope", negative_slope=0.01))
rule(F.elu)(_entry_wise(activations.elu, "input alpha", alpha=1.0))
rule(F.sigmoid, torch.sigmoid, torch.sigmoid_, _T.sigmoid, _T.sigmoid_)(_entry_wise(activations.sigmoid))
rule(F.tanh, torch.tanh, torch.tanh_, _T.tanh, _T.tanh_)(_entry_wise(activations.tanh))
rule(F.hardsigmoid)(_entry_wise(activations.hardsigmoid))
rule(F.hardswish)(_entry_wise(activations.hardswish))
rule(F.silu)(_entry_wise(activations.silu))


@rule(F.softplus)
def softplus(walk: Walk, func: Any, args: Any, kwargs: Any, out: torch.Tensor) -> Reach:
    """With the jump at its threshold."""
    x, beta, threshold = bound("input beta threshold", args, kwargs, beta=1.0, threshold=20.0)
    if not 0 < beta < math.inf or math.isnan(threshold):
        raise ModelError(walk.refusal(func, "its beta is not above 0, or its threshold is no number"))
    return walk.reach(func, x).through(activations.softplus(beta, threshold))


@rule(F.hardtanh, torch.clamp, torch.clamp_, _T.clamp, _T.clamp_)
def clamp(walk: Walk, func: Any, args: Any, kwargs: Any, out: torch.Tensor) -> Reach:
    """Cut off at numbers."""
    cut_at = (-1.0, 1.0) if func is F.hardtanh else (None, None)
    least, most = ("min_val", "max_val") if func is F.hardtanh else ("min", "max")
    x, *ends = bound(f"input {least} {most}", args, kwargs, **dict(zip((least, most), cut_at, strict=True)))
    if any(isinstance(end, _T) for end in ends):
        raise ModelError(walk.refusal(func, "it cuts off at tensors"))
    return walk.reach(func, x).through(_clamp(*ends))


@rule(F.gelu, torch._C._nn.gelu)
def gelu(walk: Walk, func: Any, args: Any, kwargs: Any, out: torch.Tensor) -> Reach:
    """The exact one."""
    if kwargs.get("approximate", "none") != "none":
        raise ModelError(walk.refusal(func, "it is an approximation of GELU, the exact one has a rule"))
    return walk.reach(func, args[0]).through(activations.gelu())


@rule(F.prelu, torch.prelu)
def prelu(walk: Walk, func: Any, args: Any, kwargs: Any, out: torch.Tensor) -> Reach:
    """The sum a x + (1 - a) relu(x), which is tight for slopes a between 0 and 1."""
    x, weight = (walk.reach(func, tensor) for tensor in bound("input weight", args, kwargs))
    slope = weight.moved(
        lambda values: values.reshape([1, -1] + [1] * (len(x.shape) - 2)) if len(values) > 1 else values
    )
    one = walk.reach(func, 1)
    return slope * x + (one + -slope) * x.through(_clamp(0, None))


@rule(*named(F, "dropout dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout"))
def dropout(walk: Walk, func: Any, args: Any, kwargs: Any, out: torch.Tensor) -> Reach:
    """Nothing, outside training."""
    x, _, training = bound(
        "input p training", args, kwargs, training=func not in (F.alpha_dropout, F.feature_alpha_dropout)
    )
    if training:
        raise ModelError(walk.refusal(func, "it draws numbers in eval mode"))
    return walk.reach(func, x)


@rule(torch.add, *named(_T, "add add_ __add__ __radd__ __iadd__"))
def add(walk: Walk, func: Any, args: Any, kwargs: Any, out: torch.Tensor) -> Reach:
    """Entry by entry."""
    one, other = _two(walk, func, args, kwargs)
    return one + other


@rule(torch.sub, torch.subtract, *named(_T, "sub sub_ __sub__ __isub__"))
def subtract(walk: Walk, func: Any, args: Any, kwargs: Any, out: torch.Tensor) -> Reach:
    """Entry by entry."""
    one, other = _two(walk, func, args, kwargs)
    return one + -other


@rule(_T.__rsub__)
def subtract_from(walk: Walk, func: Any, args: Any, kwargs: Any, out: torch.Tensor) -> Reach:
    """Entry by entry."""
    one, other = _two(walk, func, args, kwargs)
    return other + -one


@rule(torch.neg, _T.neg, _T.__neg__)
def negate(walk: Walk, func: Any, args: Any, kwargs: Any, out: torch.Tensor) -> Reach:
    """Entry by entry."""
    return -walk.reach(func, args[0])


@rule(torch.mul, torch.multiply, *named(_T, "mul mul_ __mul__ __rmul__ __imul__"))
def multiply(walk: Walk, func: Any, args: Any, kwargs: Any, out: torch.Tensor) -> Reach:
    """Entry by entry; of two activations, too, as in squeeze and excitation."""
    one, other = _two(walk, func, args, kwargs)
    return one * other


@rule(torch.div, torch.divide, torch.true_divide, *named(_T, "div div_ divide __truediv__ __itruediv__"))
def divide(walk: Walk, func: Any, args: Any, kwargs: Any, out: torch.Tensor) -> Reach:
    """By a number."""
    one, other = bound("input other", args, kwargs)
    if isinstance(other, _T) or not other or kwargs.get("rounding_mode") is not None:
        raise ModelError(walk.refusal(func, "it divides by a tensor or by 0, or rounds"))
    return walk.reach(func, one).through(activations.fraction(other))


def _two(walk: Walk, func: Any, args: Any, kwargs: Any) -> tuple[Reach, Reach]:
    if kwargs.get("alpha", 1) != 1:
        raise ModelError(walk.refusal(func, "it scales its second operand"))
    one, other = bound("input other", args, kwargs)
    return walk.reach(func, one), walk.reach(func, other)


@rule(*named(F, "max_pool1d max_pool2d max_pool3d adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d"))
@rule(torch.max_pool1d, torch.max_pool2d)
def largest(walk: Walk, func: Any, args: Any, kwargs: Any, out: Any) -> Reach:
    """Windows of each channel."""
    if not isinstance(out, _T):
        raise ModelError(walk.refusal(func, "it returns the places of its maxima"))
    return walk.reach(func, args[0]).largest(lambda bound: func(bound, *args[1:], **kwargs))


@rule(*named(F, "avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d"))
@rule(*named(torch, "mean sum avg_pool1d adaptive_avg_pool1d"), *named(_T, "mean sum"))
def average(walk: Walk, func: Any, args: Any, kwargs: Any, out: torch.Tensor) -> Reach:
    """Sums with weights of 0 or more, of no more entries than a row has, or of one entry of every row."""
    if kwargs.get("dtype") is not None:
        raise ModelError(walk.refusal(func, "it changes the type of its numbers"))
    x = args[0]
    n = max(x.numel() // max(1, min(len(x), out.numel())), len(x))
    return walk.reach(func, x).averaged(lambda bound: func(bound, *args[1:], **kwargs), n)
