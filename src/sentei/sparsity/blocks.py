"""Blocks: rectangles of the weight's matrix that stay or leave as a whole."""

from collections.abc import Sequence

import numpy as np

from sentei.errors import ModelError
from sentei.sparsity.selection import Mask, Values


def keep_blocks(weights: Sequence[Values], share: float, rows: int, columns: int) -> list[Mask]:
    """True for the blocks with the highest scores of several weights that count as one.

    A weight (out, in, *kernel) is read as the matrix (out, in * kernel), a bias as one column. At its borders the
    blocks may be smaller. The score of a block is the sum of its scores, so that a smaller one counts for less.

    Args:
        weights: The scores of each weight, of any shape, without NaN.
        share: Share of all these weights to prune, in [0, 1).
        rows: Of a block; at least 1.
        columns: Of a block; at least 1.

    Returns:
        By weight: same shape, True = keep.

    Raises:
        ModelError: Scores of a block have no sum, because they hold infinities of both signs.

    Guarantee:
        The pruned blocks are the first in the order of their scores, and so many that the number of pruned weights is
        as near to the request as that order allows. Of equal scores the earlier block is pruned first, so that masks of
        growing share are nested.

    Source:
        Narang, Undersander and Diamos, Block-sparse recurrent neural networks, arXiv:1711.02782.

    Example:
        >>> keep_blocks([np.array([[1.0, 1.0, 5.0, 5.0], [1.0, 1.0, 0.0, 0.0]])], 0.5, rows=2, columns=2)[0].tolist()
        [[False, False, True, True], [False, False, True, True]]
    """
    matrices = [weight.reshape(weight.shape[0] if weight.ndim else 1, -1) for weight in weights]
    sums = [_block_sums(matrix, rows, columns) for matrix in matrices]
    sizes = [_block_sums(np.ones(matrix.shape), rows, columns) for matrix in matrices]
    keep = _keep_first(sums, sizes, share)
    return [
        _spread(part.reshape(total.shape), matrix, rows, columns).reshape(weight.shape)
        for part, total, matrix, weight in zip(keep, sums, matrices, weights, strict=True)
    ]


def _block_sums(matrix: Values, rows: int, columns: int) -> Values:
    if matrix.size == 0:
        return np.zeros((0, 0))
    with np.errstate(invalid="ignore"):
        by_row = np.add.reduceat(matrix.astype(np.float64), np.arange(0, matrix.shape[0], rows), axis=0)
        sums = np.add.reduceat(by_row, np.arange(0, matrix.shape[1], columns), axis=1)
    if np.isnan(sums).any():
        raise ModelError("scores of one block are infinite with both signs and have no sum; score the model again")
    return sums


def _keep_first(sums: list[Values], sizes: list[Values], share: float) -> list[Mask]:
    flat = np.concatenate([part.ravel() for part in sums]) if sums else np.zeros(0)
    order = np.argsort(flat, kind="stable")
    size = np.concatenate([part.ravel() for part in sizes]).astype(np.int64) if sizes else np.zeros(0, np.int64)
    pruned = np.concatenate([[0], np.cumsum(size[order])])  # by number of blocks
    nearest = int(np.argmin(np.abs(pruned - round(share * int(pruned[-1])))))
    keep = np.ones(flat.shape, np.bool_)
    keep[order[:nearest]] = False
    return np.split(keep, np.cumsum([part.size for part in sums])[:-1]) if sums else []


def _spread(keep: Mask, matrix: Values, rows: int, columns: int) -> Mask:
    """The mask of the weights from the mask of their blocks."""
    if matrix.size == 0:
        return np.ones(matrix.shape, np.bool_)
    tall = np.repeat(keep, rows, axis=0)[: matrix.shape[0]]
    return np.repeat(tall, columns, axis=1)[:, : matrix.shape[1]]
