"""Small changes to training images, a whole batch at a time."""

import torch
from torch.nn import functional as F

from sentei.data.masks import IGNORED


def augment(images: torch.Tensor, kind: str) -> torch.Tensor:
    """The batch as training sees it this time; draws from torch's current random numbers.

    Args:
        images: ``(n, channels, height, width)`` float32, after preprocessing.
        kind: ``none``, ``flip`` or ``crop-flip``.

    Returns:
        Same shape and memory format: each image moved by up to an eighth of its height (zeros, which are the mean,
        come in at the edge) and flipped left-right half of the time.
    """
    if kind == "crop-flip":
        images = _shift(images, images.shape[2] // 8)
    if kind in ("flip", "crop-flip"):
        flipped = torch.rand(len(images), 1, 1, 1) < 0.5
        images = torch.where(flipped.to(images.device), images.flip(3), images)
    return images


def augment_pairs(images: torch.Tensor, masks: torch.Tensor, kind: str) -> tuple[torch.Tensor, torch.Tensor]:
    """The batch as training sees it this time, each mask moved and flipped with its image.

    Args:
        images: As `augment` takes them.
        masks: ``(n, height, width)`` uint8.
        kind: As `augment` takes it.

    Returns:
        Images and masks; pixels that come in at the edge do not count.
    """
    if kind == "none":
        return images, masks
    # A mask travels as one more channel, counted from IGNORED, so that the zeros at the edge become pixels to ignore.
    both = augment(torch.cat([images, (masks.to(images.dtype) - IGNORED)[:, None]], dim=1), kind)
    layout = torch.channels_last if images.is_contiguous(memory_format=torch.channels_last) else torch.contiguous_format
    return both[:, :-1].contiguous(memory_format=layout), (both[:, -1] + IGNORED).to(masks.dtype)


def _shift(images: torch.Tensor, reach: int) -> torch.Tensor:
    """Each image cut at its own place out of itself with a border of zeros."""
    n, _, height, width = images.shape
    corners = torch.randint(0, 2 * reach + 1, (2, n, 1)).to(images.device)
    rows = (corners[0] + torch.arange(height, device=images.device))[:, :, None]
    columns = (corners[1] + torch.arange(width, device=images.device))[:, None, :]
    bordered = F.pad(images, (reach, reach, reach, reach)).permute(0, 2, 3, 1)
    return bordered[torch.arange(n, device=images.device)[:, None, None], rows, columns].permute(0, 3, 1, 2)
