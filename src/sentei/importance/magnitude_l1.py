"""Magnitude, L1: a weight matters as much as its absolute value."""

import torch


def score_magnitude_l1(name: str, weight: torch.Tensor, seed: int) -> torch.Tensor:
    """The absolute value of every weight.

    Args:
        name: Of the parameter; not used.
        weight: Any shape.
        seed: Not used.

    Returns:
        Same shape; larger = keep.

    Source:
        Han et al., Learning both weights and connections, arXiv:1506.02626.
    """
    return weight.abs()
