"""The first convolution of a network, for images with any number of channels."""

import math

import torch
from torch import nn


def take_channels(net: nn.Module, n_channels: int) -> None:
    """The network's first convolution takes images with this many channels; with its own number nothing changes.

    Args:
        net: Changed in place; its first convolution is the one that reads the image.
        n_channels: At least 1.

    Guarantee:
        Each new weight is normal around 0 with the old weights' spread times sqrt(old channels / new channels), so that
        what the layer says about rows of independent pixels is as large as before.
    """
    name, first = next((name, module) for name, module in net.named_modules() if isinstance(module, nn.Conv2d))
    if first.in_channels == n_channels:
        return
    stem = nn.Conv2d(
        n_channels,
        first.out_channels,
        first.kernel_size,  # type: ignore[arg-type]  # torch's own pair, as the constructor takes it
        first.stride,  # type: ignore[arg-type]  # likewise
        first.padding,  # type: ignore[arg-type]  # likewise
        first.dilation,  # type: ignore[arg-type]  # likewise
        bias=first.bias is not None,
        padding_mode=first.padding_mode,
    )
    _as_loud(stem, first)
    parent, _, child = name.rpartition(".")
    setattr(net.get_submodule(parent), child, stem)


@torch.no_grad()
def _as_loud(stem: nn.Conv2d, first: nn.Conv2d) -> None:
    """New weights whose answers are as large as those of the old ones, and the old bias."""
    if not first.weight.is_meta:  # a network without numbers has no spread
        spread = float(first.weight.std())
        nn.init.normal_(stem.weight, std=spread * math.sqrt(first.in_channels / stem.in_channels))
    if first.bias is not None and stem.bias is not None:
        stem.bias.copy_(first.bias)
