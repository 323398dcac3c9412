"""Labels: which slot stands behind every entry of an activation.

A label tensor has as many dimensions as its activation, with size 1 wherever the slot does not change, so that it
broadcasts to the activation and stays small. 0 is an entry that nothing can take away.
"""

import torch


def compact(labels: torch.Tensor) -> torch.Tensor:
    """The same labels with size 1 in every dimension along which they do not change."""
    for dim in range(labels.dim()):
        first = labels.narrow(dim, 0, 1)
        if labels.shape[dim] > 1 and (labels.stride(dim) == 0 or bool((labels == first).all())):
            labels = first
    return labels


def changing(labels: torch.Tensor) -> list[int]:
    """The dimensions along which compact labels change."""
    return [dim for dim, size in enumerate(labels.shape) if size > 1]


def along(labels: torch.Tensor, dim: int, size: int) -> torch.Tensor | None:
    """The labels along one dimension, ``(size,)``.

    Args:
        labels: Compact.
        dim: Which dimension; negative counts from the end.
        size: Of the activation in that dimension.

    Returns:
        One label for each place, or None if they change along another dimension, too.
    """
    if any(other != dim % labels.dim() for other in changing(labels)):
        return None
    return labels.reshape(-1).expand(size)


def spread(vector: torch.Tensor, dim: int, n_dims: int) -> torch.Tensor:
    """Compact labels that change along one dimension only."""
    shape = [1] * n_dims
    shape[dim % n_dims] = -1
    return vector.reshape(shape)


def runs(vector: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, int]:
    """The labels in order, each run of equal ones named once; how long each run is; and how many are fixed."""
    named, lengths = torch.unique_consecutive(vector, return_counts=True)
    free = named != 0
    return named[free], lengths[free], int(lengths[~free].sum())


def goes_on(before: torch.Tensor, after: torch.Tensor) -> bool:
    """Whether a movement keeps all labels in their order, so that it does the same to fewer of them.

    Each may be repeated in place (an image that is flattened) or thinned out, all equally; the whole may be repeated,
    and fixed ones may be added, but not left behind: whoever takes a part by its place must find it at that place.

    Example:
        >>> two = torch.tensor([1, 2])
        >>> goes_on(two, torch.tensor([1, 1, 2, 2])), goes_on(two, torch.tensor([2, 1])), goes_on(two, two[:1])
        (True, False, False)
    """
    (old, long, n_fixed), (new, longer, n_fixed_after) = runs(before), runs(after)
    if len(old) == 0 or len(new) == 0 or len(new) % len(old):
        return len(old) == len(new) == 0
    rounds, lengths = new.view(-1, len(old)), longer.view(-1, len(old))
    even = lengths * long[0] == lengths[:, :1] * long
    left_behind = n_fixed_after * long[0] < n_fixed * lengths[:, 0].sum()
    return bool((rounds == old).all() and even.all() and not left_behind)
