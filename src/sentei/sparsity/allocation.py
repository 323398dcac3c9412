"""Scores become masks: how many weights leave, and from which layers."""

from collections.abc import Mapping

import torch

from sentei.errors import ModelError

ALLOCATIONS = ("global", "uniform")


def allocate(
    scores: Mapping[str, torch.Tensor], sparsity: float, allocation: str = "global"
) -> dict[str, torch.Tensor]:
    """Masks that prune the lowest scores, exactly as many as asked for.

    Args:
        scores: By parameter, in the order of the network; larger = keep.
        sparsity: Share of the scored weights to prune, in [0, 1).
        allocation: ``global`` compares all layers with one another; ``uniform`` prunes the same share of each.

    Returns:
        By parameter: bool, same shape, True = keep.

    Raises:
        ValueError: The sparsity or the allocation lies outside its range.
        ModelError: A weight with two or more dimensions would vanish altogether, or a score is not a number.

    Guarantee:
        ``round(sparsity * n)`` weights are pruned, of all (global) or of each layer (uniform). Of equal scores
        the earlier one is pruned first (order of the layers, then flat index), so that masks of growing sparsity
        are nested.

    Example:
        >>> masks = allocate({"a": torch.tensor([3.0, 1.0]), "b": torch.tensor([1.0, 4.0])}, sparsity=0.25)
        >>> {name: mask.tolist() for name, mask in masks.items()}
        {'a': [True, False], 'b': [True, True]}
    """
    if not 0 <= sparsity < 1:
        raise ValueError(f"sparsity lies in [0, 1), received {sparsity}")
    if allocation not in ALLOCATIONS:
        raise ValueError(f"allocation is one of {ALLOCATIONS}, received {allocation!r}")
    for name, values in scores.items():
        if bool(values.isnan().any()):
            raise ModelError(f"the scores of {name!r} hold NaN, which has no place in an order; score the model again")
    if allocation == "uniform":
        masks = {name: _keep_highest(values.flatten(), sparsity).view(values.shape) for name, values in scores.items()}
    else:
        masks = _allocate_global(scores, sparsity)
    _refuse_vanished(masks, sparsity)
    return masks


def _allocate_global(scores: Mapping[str, torch.Tensor], sparsity: float) -> dict[str, torch.Tensor]:
    flat = torch.cat([values.flatten() for values in scores.values()]) if scores else torch.empty(0)
    parts = torch.split(_keep_highest(flat, sparsity), [values.numel() for values in scores.values()])
    # Cloned: parts of one tensor would share its memory, and files refuse shared memory.
    return {name: part.view(scores[name].shape).clone() for name, part in zip(scores, parts, strict=True)}


def _keep_highest(flat: torch.Tensor, sparsity: float) -> torch.Tensor:
    """True for all but the ``round(sparsity * n)`` lowest; of equals the earlier go first."""
    n_lowest = round(sparsity * flat.numel())
    if n_lowest == 0:
        return torch.ones(flat.shape, dtype=torch.bool)
    threshold = flat.kthvalue(n_lowest).values  # selection, not a sort
    keep = flat >= threshold
    n_below = flat.numel() - int(keep.sum())
    keep[(flat == threshold).nonzero().flatten()[: n_lowest - n_below]] = False
    return keep


def _refuse_vanished(masks: Mapping[str, torch.Tensor], sparsity: float) -> None:
    """A network without one of its layers answers the same to every input."""
    for name, mask in masks.items():
        if mask.dim() >= 2 and not bool(mask.any()):
            raise ModelError(
                f"sparsity {sparsity} would prune all {mask.numel()} weights of {name!r}; "
                "ask for less, or allocate uniformly"
            )
