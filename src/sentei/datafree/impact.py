"""How much merging a pair of units can change the answers, anywhere in the domain."""

import numpy as np
import torch
from torch import nn

from sentei.datafree.pairs import Pairs
from sentei.intervals import Box, replaced

FLOOR = 1e-9
"""Overlaps that add up to less than this are no overlap: what rounding alone leaves of two identical units."""
WIDTH_SHARE = 0.75


def impacts(model: nn.Module, weight: str, pairs: Pairs, domain: Box, batch_size: int = 64) -> torch.Tensor:
    """Scores of merges: smaller = merge first.

    Args:
        model: Only read.
        weight: Name of the weight that makes the units.
        pairs: ``(n, 2)``: the unit that stays, and the unit that leaves.
        domain: Of all inputs, ``(1, ...)``.
        batch_size: Pairs at once; at least 1.

    Returns:
        ``(n, 2)`` float64: the score, and the total width of the bounds, which tells equal scores apart.

    Raises:
        ModelError: The network calls a function that no rule bounds.

    Guarantee:
        The bounds behind a score hold for the network after exactly this merge: the unit that leaves is replaced by the
        one that stays, for every input in the domain.
    """
    parts = [torch.from_numpy(pairs[start : start + batch_size]) for start in range(0, len(pairs), batch_size)]
    deltas = [replaced(model, domain, weight, part).delta for part in parts]
    return torch.cat([torch.stack([scores(delta), total_width(delta)], 1) for delta in deltas])


def total_width(delta: Box) -> torch.Tensor:
    """Of the bounds of all answers together, ``(n,)``."""
    return delta.width.flatten(1).sum(1)


def scores(delta: Box) -> torch.Tensor:
    """One number for each row of bounds on how the logits move.

    Args:
        delta: ``(n, n_classes)``, or with more dimensions, which count as classes.

    Returns:
        ``(n,)`` in [0.5, 1): 0.75 sigmoid(total width) + 0.25 sigmoid(entropy of the overlap).

    Source:
        The form is that of Meng et al., Supervised robustness-preserving data-free neural network pruning,
        arXiv:2204.00783; `overlap_entropy` says what the second term is here.

    Example:
        >>> scores(Box.of([[0.0, 0.0]], [[0.0, 0.0]])).tolist()
        [0.5]
    """
    width = torch.sigmoid(total_width(delta))
    return WIDTH_SHARE * width + (1 - WIDTH_SHARE) * torch.sigmoid(overlap_entropy(delta))


def overlap_entropy(delta: Box) -> torch.Tensor:
    """Over how many pairs of classes the doubt is spread about which of the two a merge favours.

    Where the bounds of two classes overlap, either may gain on the other. The lengths of the overlaps of all pairs of
    classes, divided by their sum, are shares; the result is their Shannon entropy.

    Args:
        delta: ``(n, n_classes)``, or with more dimensions, which count as classes.

    Returns:
        ``(n,)`` in nats: 0 if no bounds overlap or those of two classes only; the logarithm of the number of pairs if
        all overlap by the same length.

    Example:
        >>> overlap_entropy(Box.of([[0.0, 0.0, 5.0]], [[1.0, 1.0, 6.0]])).tolist()
        [0.0]
    """
    low, high = delta.low.flatten(1), delta.high.flatten(1)
    total = torch.zeros(len(low), dtype=torch.float64)
    logs = torch.zeros(len(low), dtype=torch.float64)
    for one in range(low.shape[1] - 1):  # pair by pair, so that the answers of a segmentation network fit in memory
        ends = (
            torch.minimum(high[:, one, None], high[:, one + 1 :]),
            torch.maximum(low[:, one, None], low[:, one + 1 :]),
        )
        overlap = (ends[0] - ends[1]).clamp(min=0)
        total += overlap.sum(1)
        logs += torch.special.xlogy(overlap, overlap).sum(1)
    # with shares p = o / s: -sum p log p = log s - sum(o log o) / s
    known = total >= FLOOR
    safe = torch.where(known, total, 1.0)
    return torch.where(known, (safe.log() - logs / safe).clamp(min=0), 0.0)


def ordered(impact: torch.Tensor) -> list[int]:
    """Places of rows from the smallest on: by the first column, then by those after it, then by place."""
    return [int(place) for place in np.lexsort(impact.numpy().T[::-1])]
