"""Scores become masks: how many weights leave, and from which layers."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch

from sentei.errors import ModelError
from sentei.sparsity.blocks import keep_blocks
from sentei.sparsity.exceptions import Exceptions, excepted, layer_of
from sentei.sparsity.granularity import WEIGHT, Granularity
from sentei.sparsity.nm import keep_n_of_m
from sentei.sparsity.selection import Mask, Values, keep_highest

ALLOCATIONS = ("global", "uniform", "isomorphic")


def allocate(
    scores: Mapping[str, torch.Tensor],
    sparsity: float,
    allocation: str = "global",
    granularity: Granularity = WEIGHT,
    exceptions: Exceptions | None = None,
) -> dict[str, torch.Tensor]:
    """Masks that prune the lowest scores, exactly as many as asked for.

    Args:
        scores: By parameter, in the order of the network; larger = keep.
        sparsity: Share of the scored weights to prune, in [0, 1); excepted layers do not count towards it. With n:m it
            is ``1 - n / m``.
        allocation: ``global`` compares all layers with one another; ``uniform`` prunes the same share of each;
            ``isomorphic`` compares layers of equal shape, and prunes the same share of each shape.
        granularity: What leaves as a whole: single weights, some of every m, or blocks.
        exceptions: By pattern of the layer's name (the parameter's without ``.weight``): the share to prune of each
            layer that matches, or ``keep``. The first pattern that matches wins.

    Returns:
        By parameter: bool on the CPU, same shape, True = keep.

    Raises:
        ValueError: The sparsity, the allocation, the granularity or an exception lies outside its range.
        ModelError: A weight with two or more dimensions would vanish altogether, or a score is not a number.

    Guarantee:
        Of single weights ``round(sparsity * n)`` are pruned, of all (global), of each layer (uniform) or of each shape
        (isomorphic); blocks come as near to that as they can (`keep_blocks`). Of equal scores the earlier one is pruned
        first (order of the layers, then flat index), so that masks of growing sparsity are nested.

    Source:
        ``isomorphic``: Fang et al., Isomorphic pruning for vision models, arXiv:2407.04616.

    Example:
        >>> masks = allocate({"a": torch.tensor([3.0, 1.0]), "b": torch.tensor([1.0, 4.0])}, sparsity=0.25)
        >>> {name: mask.tolist() for name, mask in masks.items()}
        {'a': [True, False], 'b': [True, True]}
    """
    if not 0 <= sparsity < 1:
        raise ValueError(f"sparsity lies in [0, 1), received {sparsity}")
    values = {name: _numbers(name, tensor) for name, tensor in scores.items()}
    kept: dict[str, Mask] = {}
    for names, share in pools({name: part.shape for name, part in values.items()}, sparsity, allocation, exceptions):
        kept |= zip(names, _keep([values[name] for name in names], share, granularity), strict=True)
    _refuse_vanished(kept, sparsity)
    return {name: torch.from_numpy(kept[name]) for name in scores}


def pools(
    shapes: Mapping[str, tuple[int, ...]], share: float, allocation: str, exceptions: Exceptions | None = None
) -> list[tuple[tuple[str, ...], float]]:
    """Which weights are compared with one another, and which share of them leaves.

    Args:
        shapes: By parameter, in the order of the network.
        share: For everything that is not excepted.
        allocation: One of ``ALLOCATIONS``.
        exceptions: By pattern of the layer's name.

    Returns:
        Names and share; every parameter is in exactly one pool, and every excepted one in a pool of its own.

    Raises:
        ValueError: The allocation is unknown, or an exception matches nothing or asks for no share.

    Example:
        >>> pools({"a.weight": (2, 2), "b.weight": (3, 2), "c.weight": (2, 2)}, 0.5, "isomorphic", {"b": "keep"})
        [(('b.weight',), 0.0), (('a.weight', 'c.weight'), 0.5)]
    """
    if allocation not in ALLOCATIONS:
        raise ValueError(f"allocation is one of {ALLOCATIONS}, received {allocation!r}")
    own = excepted((layer_of(name) for name in shapes), exceptions)
    together: dict[object, list[str]] = {}
    for name in (name for name in shapes if layer_of(name) not in own):
        key = {"global": None, "uniform": name, "isomorphic": tuple(shapes[name])}[allocation]
        together.setdefault(key, []).append(name)
    alone = [((name,), own[layer_of(name)]) for name in shapes if layer_of(name) in own]
    return alone + [(tuple(names), share) for names in together.values()]


def _numbers(name: str, scores: torch.Tensor) -> Values:
    """The scores as an array; nothing is copied unless numpy has no such dtype, or the order in memory is another."""
    narrow = scores.dtype in (torch.float16, torch.bfloat16)  # numpy knows not both, and float32 orders them alike
    values: Values = (scores.detach().float() if narrow else scores.detach()).cpu().contiguous().numpy()
    with np.errstate(invalid="ignore"):
        if values.size and math.isnan(values.min()):  # one pass, and no array of flags
            raise ModelError(f"the scores of {name!r} hold NaN, which has no place in an order; score the model again")
    return values


def _keep(weights: Sequence[Values], share: float, granularity: Granularity) -> list[Mask]:
    if granularity.kind == "channel":
        raise ValueError("channels have no masks of single weights; choose them with keep_units")
    if granularity.kind == "block":
        return keep_blocks(weights, share, granularity.first, granularity.second)
    if granularity.kind == "n:m":
        return [_keep_n_of_m(weight, share, granularity) for weight in weights]
    parts = keep_highest([weight.reshape(-1) for weight in weights], round(share * sum(part.size for part in weights)))
    return [part.reshape(weight.shape) for part, weight in zip(parts, weights, strict=True)]


def _keep_n_of_m(weight: Values, share: float, granularity: Granularity) -> Mask:
    own = 1 - granularity.first / granularity.second
    if share not in (0, own) and abs(share - own) > 1e-6:
        raise ValueError(f"{granularity} prunes a share of {own:.6g}, received {share}; ask for that, or for 'keep'")
    if share == 0:
        return np.ones(weight.shape, np.bool_)
    return keep_n_of_m(weight, granularity.first, granularity.second)


def _refuse_vanished(masks: Mapping[str, Mask], sparsity: float) -> None:
    """A network without one of its layers answers the same to every input."""
    for name, mask in masks.items():
        if mask.ndim >= 2 and not mask.any():
            raise ModelError(
                f"sparsity {sparsity} would prune all {mask.size} weights of {name!r}; "
                "ask for less, except this layer, or allocate uniformly"
            )
