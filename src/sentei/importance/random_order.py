"""Random: what any criterion has to beat."""

import hashlib

import torch


def score_random(name: str, weight: torch.Tensor, seed: int) -> torch.Tensor:
    """A number in [0, 1) for every weight, from the seed and the parameter's name alone.

    Args:
        name: Of the parameter, so that two layers of one shape get different numbers.
        weight: Only its shape is used.
        seed: Any integer.

    Returns:
        Same shape; larger = keep.
    """
    mixed = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(mixed[:8], "big") >> 1)
    return torch.rand(weight.shape, generator=generator)
