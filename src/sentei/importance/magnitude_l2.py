"""Magnitude, L2: a weight matters as much as its energy."""

import torch


def score_magnitude_l2(name: str, weight: torch.Tensor, seed: int) -> torch.Tensor:
    """The square of every weight.

    Single weights come in the same order as by L1, except that squares below 1e-45 are ties; for groups of weights
    the two criteria differ.

    Args:
        name: Of the parameter; not used.
        weight: Any shape.
        seed: Not used.

    Returns:
        Same shape; larger = keep.
    """
    return weight.square()
