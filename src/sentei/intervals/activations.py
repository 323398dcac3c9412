"""The entry-wise functions of networks, by name."""

import math
from functools import cache

import numpy as np
import torch
from torch.nn import functional as F

from sentei.intervals.activation import Activation, Entries
from sentei.intervals.rounding import down, up


def clamp(least: float, most: float) -> Activation:
    """Cut off below and above; ReLU is ``clamp(0, inf)``.

    Args:
        least: May be minus infinity.
        most: Above ``least``; may be infinity.
    """
    kinks = tuple(place for place in (least, most) if math.isfinite(place))
    return Activation(
        lambda x: x.clamp(least, most),
        lambda x: ((x >= least) & (x < most)).double(),
        lambda x: ((x > least) & (x <= most)).double(),
        bends=kinks,
        exact=True,
    )


def leaky(slope: float) -> Activation:
    """The number itself above 0, and a multiple of it below."""
    return Activation(
        lambda x: torch.where(x > 0, x, slope * x),
        lambda x: torch.where(x >= 0, torch.ones_like(x), slope),
        lambda x: torch.where(x > 0, torch.ones_like(x), slope),
        turns=(0.0,) if slope < 0 else (),
        bends=(0.0,),
    )


def elu(alpha: float) -> Activation:
    """The number itself above 0, and ``alpha (exp(x) - 1)`` below, which falls if alpha is less than 0."""
    below: Entries = lambda x: alpha * x.clamp(max=0).exp()  # noqa: E731 - two uses beside each other
    return Activation(
        lambda x: torch.where(x > 0, x, alpha * torch.expm1(x.clamp(max=0))),
        lambda x: torch.where(x >= 0, torch.ones_like(x), below(x)),
        lambda x: torch.where(x > 0, torch.ones_like(x), below(x)),
        turns=(0.0,) if alpha < 0 else (),
        bends=(0.0,),
    )


def _smooth(function: Entries, slope: Entries, turns: tuple[float, ...], bends: tuple[float, ...]) -> Activation:
    return Activation(function, slope, slope, turns, bends)


def sigmoid() -> Activation:
    """1 / (1 + exp(-x)); steepest at 0."""
    return _smooth(torch.sigmoid, lambda x: torch.sigmoid(x) * torch.sigmoid(-x), (), (0.0,))


def tanh() -> Activation:
    """Steepest at 0; the slope is 1 / cosh(x)^2."""
    return _smooth(torch.tanh, lambda x: 4 * torch.sigmoid(2 * x) * torch.sigmoid(-2 * x), (), (0.0,))


def softplus(beta: float = 1.0, threshold: float = 20.0) -> Activation:
    """log(1 + exp(beta x)) / beta, and x itself where beta x is above the threshold.

    There it jumps down by log(1 + exp(-threshold)) / beta, 2e-9 as torch has it unless told otherwise.

    Args:
        beta: Above 0.
        threshold: May be infinity.
    """
    place = threshold / beta
    straight: Entries = lambda x: torch.full_like(x, place)  # noqa: E731 - three uses beside one another

    def function(x: torch.Tensor) -> torch.Tensor:
        return torch.where(x > straight(x), x, torch.logaddexp(beta * x, x.new_zeros(())) / beta)

    return Activation(
        function,
        lambda x: torch.where(x > up(straight(x)), 1.0, torch.sigmoid(beta * x)),  # either may be, at a rounded place
        lambda x: torch.where(x >= down(straight(x)), 1.0, torch.sigmoid(beta * x)),
        jumps=((place, float(np.logaddexp(threshold, 0)) / beta, place),) if math.isfinite(place) else (),
    )


def fraction(divisor: float) -> Activation:
    """Division by a number other than 0."""
    return _smooth(lambda x: x / divisor, lambda x: torch.full_like(x, 1 / divisor), (), ())


def reciprocal_root() -> Activation:
    """1 / sqrt(x), of numbers above 0; of others it is not a number."""
    return _smooth(torch.rsqrt, lambda x: -0.5 * x.rsqrt() / x, (), ())


def hardsigmoid() -> Activation:
    """(x + 3) / 6, cut off at 0 and 1."""
    ramp: Entries = lambda inside: inside.double() / 6  # noqa: E731 - two uses beside each other
    return Activation(
        lambda x: (x + 3).clamp(0, 6) / 6,
        lambda x: ramp((x >= -3) & (x < 3)),
        lambda x: ramp((x > -3) & (x <= 3)),
        bends=(-3.0, 3.0),
    )


def hardswish() -> Activation:
    """The product x (x + 3) / 6 between -3 and 3, 0 below and x above; least at -1.5."""
    middle: Entries = lambda x: (2 * x + 3) / 6  # noqa: E731 - two uses beside each other
    return Activation(
        lambda x: x * (x + 3).clamp(0, 6) / 6,
        lambda x: torch.where(x < -3, 0.0, torch.where(x >= 3, 1.0, middle(x))),
        lambda x: torch.where(x <= -3, 0.0, torch.where(x > 3, 1.0, middle(x))),
        turns=(-3.0, -1.5),
        bends=(-3.0, 3.0),
    )


@cache
def gelu() -> Activation:
    """The product x Phi(x), Phi the normal distribution function.

    Its slope Phi(x) + x phi(x) is 0 at one point below 0, which a root finder gives to the last digits; the slope's own
    slope phi(x) (2 - x^2) is 0 at plus and minus the root of 2, where the slope is 1.129 and -0.129.
    """
    from scipy.optimize import brentq  # most of a second, which networks without such a function need not wait for
    from scipy.special import ndtr

    least = brentq(lambda x: ndtr(x) + x * np.exp(-x * x / 2) / math.sqrt(2 * math.pi), -2.0, 0.0, xtol=1e-14)

    def slope(x: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = torch.special.ndtr(x) + x * torch.exp(-x * x / 2) / math.sqrt(2 * math.pi)
        return made

    return _smooth(lambda x: x * torch.special.ndtr(x), slope, (least,), (-math.sqrt(2), math.sqrt(2)))


@cache
def silu() -> Activation:
    """The product x s(x), s the sigmoid.

    Its slope s + x s (1 - s) is 0 where 1 + x (1 - s(x)) = 0; the slope's own slope s (1 - s) (2 + x (1 - 2 s)) is 0
    where x tanh(x / 2) = 2, at plus and minus 2.3994, where the slope is 1.0998 and -0.0998.
    """
    from scipy.optimize import brentq  # as above
    from scipy.special import expit

    least = brentq(lambda x: 1 + x * expit(-x), -3.0, -1.0, xtol=1e-14)
    steepest = brentq(lambda x: x * math.tanh(x / 2) - 2, 2.0, 3.0, xtol=1e-14)

    def slope(x: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(x) * (1 + x * torch.sigmoid(-x))

    return _smooth(F.silu, slope, (least,), (-steepest, steepest))
