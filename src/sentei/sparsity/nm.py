"""n:m sparsity: of every m weights along the input, n stay."""

import numpy as np

from sentei.sparsity.selection import Mask, Values


def keep_n_of_m(scores: Values, n: int, m: int) -> Mask:
    """True for the n highest of every m scores that stand next to one another along the input.

    A linear weight is (out, in): its rows are cut into pieces of m. The weight of a convolution is (out, in, *kernel):
    the m weights are those of m neighbouring input channels at one place of the kernel, as sparse tensor cores read
    them. What is left over when m does not divide the inputs stays whole, and so do tensors without an input
    dimension (biases). In transposed convolutions dimension 1 is the output; except them by name.

    Args:
        scores: The scores of one weight, (out, in, ...); without NaN.
        n: How many stay; at least 1.
        m: Of how many; more than n.

    Returns:
        Same shape, True = keep.

    Guarantee:
        Every whole piece keeps exactly n; of equal scores the earlier one is pruned first.

    Source:
        Mishra et al., Accelerating sparse deep neural networks, arXiv:2104.08378.

    Example:
        >>> keep_n_of_m(np.array([[4.0, 1.0, 3.0, 2.0, 0.0]]), 2, 4).tolist()
        [[True, False, True, False, True]]
    """
    keep = np.ones(scores.shape, np.bool_)
    if scores.ndim < 2:
        return keep
    whole = scores.shape[1] // m * m
    pieces = [scores[:, start:whole:m] for start in range(m)]
    ranks = _ranks(pieces)
    for start, rank in enumerate(ranks):
        keep[:, start:whole:m] = rank >= m - n
    return keep


def _ranks(pieces: list[Values]) -> list[Values]:
    """How many of its piece each score is above, where of equals the later is above."""
    ranks = [np.zeros(piece.shape, np.int16) for piece in pieces]
    for later in range(len(pieces)):
        for earlier in range(later):
            above = pieces[later] >= pieces[earlier]
            ranks[later] += above
            ranks[earlier] += ~above
    return ranks
