"""The highest of many numbers in a few passes over them, without sorting or copying them."""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Values: TypeAlias = npt.NDArray[Any]
Mask: TypeAlias = npt.NDArray[np.bool_]

_N_SAMPLES = 1 << 16
_N_DEVIATIONS = 5  # of the sampled rank: the bracket then misses about once in a million random orders


def keep_highest(parts: Sequence[Values], n_lowest: int) -> list[Mask]:
    """True for all but the lowest numbers of several arrays that count as one.

    Args:
        parts: One-dimensional, of one dtype, without NaN.
        n_lowest: How many are False; between 0 and the number of all entries.

    Returns:
        A new mask for each part.

    Guarantee:
        Exactly ``n_lowest`` entries are False: those that a stable sort of all parts in a row puts first. So of equal
        numbers the earlier goes first.

    Source:
        Selection between two bounds taken from a sample: Floyd and Rivest, Expected time bounds for selection,
        Communications of the ACM 18(3), 1975. The sample is regular here, so that equal inputs take equal time; where
        the bounds miss, the exact rank is found among all numbers.

    Example:
        >>> [mask.tolist() for mask in keep_highest([np.array([3.0, 1.0]), np.array([1.0, 4.0])], 1)]
        [[True, False], [True, True]]
    """
    n_values = sum(part.size for part in parts)
    if n_lowest in (0, n_values):
        return [np.full(part.shape, n_lowest == 0) for part in parts]
    if n_values > 4 * _N_SAMPLES:
        low, high = _bracket(parts, n_values, n_lowest)
        masks, places = _between(parts, low, high)
        n_below = n_values - sum(int(np.count_nonzero(mask)) for mask in masks)
        if n_below < n_lowest <= n_below + sum(place.size for place in places):
            return _settled(parts, masks, places, n_lowest - n_below)
    everywhere = [np.arange(part.size) for part in parts]
    return _settled(parts, [np.ones(part.shape, np.bool_) for part in parts], everywhere, n_lowest)


def _bracket(parts: Sequence[Values], n_values: int, n_lowest: int) -> tuple[Any, Any]:
    """Two numbers between which the n-th lowest is very likely to lie."""
    step = n_values // _N_SAMPLES | 1  # odd: even periods, such as channels, are not met at one phase alone
    sample = np.sort(np.concatenate([part[::step] for part in parts]))
    share = n_lowest / n_values
    rank, slack = share * sample.size, _N_DEVIATIONS * (share * (1 - share) * sample.size) ** 0.5 + len(parts)
    last = sample.size - 1
    return sample[max(0, int(rank - slack))], sample[min(last, int(rank + slack) + 1)]


def _between(parts: Sequence[Values], low: Any, high: Any) -> tuple[list[Mask], list[npt.NDArray[np.intp]]]:
    """By part: what is not below the lower bound, and where the numbers between the bounds are."""
    masks = [part >= low for part in parts]
    return masks, [np.flatnonzero((part <= high) & mask) for part, mask in zip(parts, masks, strict=True)]


def _settled(
    parts: Sequence[Values], masks: list[Mask], places: list[npt.NDArray[np.intp]], n_lowest: int
) -> list[Mask]:
    """The masks, with the lowest of the undecided places False."""
    undecided = np.concatenate([part[place] for part, place in zip(parts, places, strict=True)])
    threshold = np.partition(undecided, n_lowest - 1)[n_lowest - 1]
    keep = undecided >= threshold
    n_ties = n_lowest - (keep.size - int(np.count_nonzero(keep)))
    keep[np.flatnonzero(undecided == threshold)[:n_ties]] = False
    ends = list(accumulate(place.size for place in places))
    for mask, place, end in zip(masks, places, ends, strict=True):
        mask[place] = keep[end - place.size : end]
    return masks
