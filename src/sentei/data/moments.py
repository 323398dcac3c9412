"""Mean and standard deviation of every channel, the same on every machine but for the last digits."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

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
    counts = np.array([_byte_counts(inputs[:, channel]) for channel in range(inputs.shape[1])], np.float64)
    values, n = np.arange(256.0), counts.sum(axis=1)
    means = counts @ values / n
    spread = (counts * (values - means[:, None]) ** 2).sum(axis=1) / n
    return means, np.sqrt(spread)


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


def _parts(inputs: Inputs) -> Iterator[npt.NDArray[np.float64]]:
    for start in range(0, len(inputs), N_ROWS_AT_ONCE):
        yield inputs[start : start + N_ROWS_AT_ONCE].astype(np.float64)
