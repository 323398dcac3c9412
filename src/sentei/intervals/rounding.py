"""Outward rounding: a bound that was computed becomes one that holds."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

UNIT = 2.0**-53
"""Largest relative error of one operation in float64."""
STEP = 4 * UNIT
FEW = 16
"""Units in the last place, of the result or of 1, that exp, erfc, tanh and the like stay within in float64."""
TINY = 1e-250
"""More than what products that underflow can add up to, and itself no number that slows processors down."""


def gamma(n: int) -> float:
    """Largest relative error of a sum of n products, in any order of summation, fused or not.

    Source:
        Higham, Accuracy and Stability of Numerical Algorithms, lemma 3.1: n u / (1 - n u).

    Example:
        >>> gamma(1) > UNIT
        True
    """
    return n * UNIT / (1 - n * UNIT)


def down(bound: torch.Tensor) -> torch.Tensor:
    """A number below the exact result if ``bound`` is that of a sum, rounded to nearest.

    A sum that is 0 or nearly so is exact, and stays: steps of the least numbers there are would make them the usual
    case, and processors take a hundred times as long for each of them.
    """
    return torch.sub(bound, bound.abs(), alpha=STEP)


def up(bound: torch.Tensor) -> torch.Tensor:
    """A number above the exact result, likewise."""
    return torch.add(bound, bound.abs(), alpha=STEP)


def loosened(low: torch.Tensor, high: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Bounds moved apart by the error of a function of torch: a few units in the last place of the result, or of 1."""
    share = FEW * 2 * UNIT
    return down(low - share * (1 + low.abs())), up(high + share * (1 + high.abs()))


Tensors = tuple[torch.Tensor, ...]


def once(compute: Callable[..., Tensors], *tensors: torch.Tensor) -> Tensors:
    """A function of tensors whose first dimension is the batch, computed for one row where all rows are the same one.

    Args:
        compute: Treats every row alone.
        tensors: Rows that are views of one row have stride 0. Tensors of fewer dimensions have no batch.

    Returns:
        What ``compute`` returns; again views of one row, where it was computed for one.
    """
    n_dims = max(tensor.dim() for tensor in tensors)
    rows = [tensor for tensor in tensors if tensor.dim() == n_dims and n_dims > 1]
    n_rows = max((len(tensor) for tensor in rows), default=1)
    if n_rows == 1 or any(len(tensor) > 1 and tensor.stride(0) for tensor in rows):
        return compute(*tensors)
    made = compute(*(tensor[:1] if tensor.dim() == n_dims else tensor for tensor in tensors))
    return tuple(tensor.expand(n_rows, *tensor.shape[1:]) for tensor in made)


def as_numbers(tensor: Any) -> torch.Tensor:
    """The tensor's values in float64 in the CPU's memory."""
    if not isinstance(tensor, torch.Tensor):
        return torch.tensor(np.asarray(tensor, np.float64))  # torch alone would round Python's numbers to float32
    return tensor.detach().to("cpu", torch.float64)
