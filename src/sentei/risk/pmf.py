"""Binomial probabilities that stay accurate for millions of rows."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import xlog1py, xlogy

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)
_SMALL = np.array([0.0] + [math.lgamma(z + 1) - (z + 0.5) * math.log(z) + z - _HALF_LOG_2PI for z in range(1, 16)])


def binomial_pmf(k: ArrayLike, n: ArrayLike, q: ArrayLike) -> Floats:
    """P[Bin(n, q) = k], elementwise, with a relative error around 1e-13 even for n in the millions.

    Args:
        k: Integers; outside 0..n the probability is 0.
        n: Integers of at least 0, broadcast with ``k``.
        q: Probabilities in [0, 1], broadcast with ``k``.

    Source:
        Loader, Fast and accurate computation of binomial probabilities (2000): deviance and Stirling remainder
        instead of differences of large log-factorials.

    Example:
        >>> float(binomial_pmf(2, 4, 0.5).round(12))
        0.375
    """
    k, n, q = np.broadcast_arrays(np.asarray(k, np.int64), np.asarray(n, np.int64), np.asarray(q, np.float64))
    out = np.zeros(k.shape)
    out[...] = np.where(k == 0, np.exp(xlog1py(n, -q)), out)
    out[...] = np.where((k == n) & (k > 0), np.exp(xlogy(n, q)), out)
    inner = (k > 0) & (k < n) & (q > 0) & (q < 1)
    if inner.all():
        return _inner(k, n, q)
    out[inner] = _inner(k[inner], n[inner], q[inner])
    return out


def _inner(k: Ints, n: Ints, q: Floats) -> Floats:
    rest = n - k
    exponent = _remainder(n) - _remainder(k) - _remainder(rest) - _deviance(k, n * q) - _deviance(rest, n * (1 - q))
    result: Floats = np.exp(exponent) * np.sqrt(n / (2 * math.pi * k * rest.astype(np.float64)))
    return result


def _remainder(z: Ints) -> Floats:
    """The logarithm of z! minus Stirling's formula."""
    inverse = 1.0 / np.maximum(z, 1)
    square = inverse * inverse
    series = inverse * (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square / 1680)))
    result: Floats = np.where(z < 16, _SMALL[np.minimum(z, 15)], series)
    return result


def _deviance(x: Ints, mean: Floats) -> Floats:
    """X log(x / mean) + mean - x, without cancellation where x is near the mean."""
    gap = mean - x
    ratio = gap / x
    logarithm = np.log1p(np.maximum(ratio, -0.9))
    far = ratio < -0.9
    if far.any():  # there the ratio itself has lost its digits, and the plain logarithm has none to lose
        logarithm[far] = np.log(mean[far] / x[far])
    result: Floats = gap - x * logarithm
    return result
