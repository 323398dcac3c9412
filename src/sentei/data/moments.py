"""Mean and standard deviation of every channel, the same on every machine but for the last digits."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from sentei.data.streamed import Streamed
from sentei.data.table import Inputs

N_ROWS_AT_ONCE = 1024

Moments = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]


def byte_moments(inputs: Inputs) -> Moments:
    """Mean and standard deviation of each channel (axis 1), from exact counts of the 256 values.

    Example:
        >>> mean, std = byte_moments(np.array([[0, 7], [2, 7]], np.uint8))
        >>> mean.tolist(), std.tolist()
        ([1.0, 7.0], [1.0, 0.0])
    """
    if isinstance(inputs, Streamed) and inputs.sums is not None:
        return _moments_of_sums(inputs.sums, inputs.size // (len(inputs) * inputs.shape[1]))
    counts = np.zeros((inputs.shape[1], 256))
    for part in _arrays(inputs):
        counts += [_byte_counts(part[:, channel]) for channel in range(inputs.shape[1])]
    values, n = np.arange(256.0), counts.sum(axis=1)
    means = counts @ values / n
    spread = (counts * (values - means[:, None]) ** 2).sum(axis=1) / n
    return means, np.sqrt(spread)


def channel_sums(inputs: Inputs) -> npt.NDArray[np.int64]:
    """Of each row and channel of bytes the sum and the sum of squares: what moments of any rows follow from.

    Returns:
        Shape (n, c, 2).

    Example:
        >>> channel_sums(np.array([[[1, 2], [0, 3]]], np.uint8)).tolist()
        [[[3, 5], [3, 9]]]
    """
    flat = inputs.reshape(*inputs.shape[:2], -1)
    squares = np.square(flat, dtype=np.uint16)
    return np.stack([part.sum(axis=2, dtype=np.int64) for part in (flat, squares)], axis=2)


def _moments_of_sums(sums: npt.NDArray[np.int64], n_each: int) -> Moments:
    """Whole numbers until the last division, so that squares that cancel lose nothing."""
    n = len(sums) * n_each
    totals = [(int(total), int(squares)) for total, squares in sums.sum(axis=0)]
    variances = [(n * squares - total**2) / n**2 for total, squares in totals]
    return np.array([total / n for total, _ in totals]), np.sqrt(np.array(variances))


def _byte_counts(channel: Inputs) -> npt.NDArray[np.int64]:
    counts = np.zeros(256, np.int64)
    for start in range(0, len(channel), N_ROWS_AT_ONCE):
        counts += np.bincount(channel[start : start + N_ROWS_AT_ONCE].ravel(), minlength=256)
    return counts


def float_moments(inputs: Inputs) -> Moments:
    """Mean and standard deviation of each channel (axis 1), in two passes of float64.

    Example:
        >>> mean, std = float_moments(np.array([[0.5], [1.5]], np.float32))
        >>> mean.tolist(), std.tolist()
        ([1.0], [0.5])
    """
    axes = tuple(axis for axis in range(inputs.ndim) if axis != 1)
    n = inputs.size // inputs.shape[1]
    means = sum(part.sum(axis=axes) for part in _parts(inputs)) / n
    centre = np.reshape(means, (1, -1) + (1,) * (inputs.ndim - 2))
    spread = sum(((part - centre) ** 2).sum(axis=axes) for part in _parts(inputs)) / n
    return means, np.sqrt(spread)


def _arrays(inputs: Inputs) -> Iterator[Inputs]:
    """The array itself; streamed rows piece by piece, as they are stored."""
    yield from inputs.stored() if isinstance(inputs, Streamed) else (inputs,)


def _parts(inputs: Inputs) -> Iterator[npt.NDArray[np.float64]]:
    for array in _arrays(inputs):
        for start in range(0, len(array), N_ROWS_AT_ONCE):
            yield array[start : start + N_ROWS_AT_ONCE].astype(np.float64)
