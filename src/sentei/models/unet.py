"""A small U-Net: what an image shows is found at low resolution, where it lies is kept from above."""

import torch
from torch import nn

from sentei.errors import ModelError
from sentei.models.architecture import Architecture


class UNet(nn.Module):
    """Blocks on the way down, each at half the resolution of the one before, and blocks on the way up again.

    Each block on the way up sees what came up from below beside what the block of its resolution saw on the way down.

    Args:
        n_channels: Of the images.
        n_classes: Logits of each pixel.
        widths: Channels of each block on the way down; twice as many a step is usual.
    """

    def __init__(self, n_channels: int, n_classes: int, widths: list[int]) -> None:
        super().__init__()
        inputs = [n_channels, *widths[:-1]]
        self.down = nn.ModuleList(_block(n_in, n_out) for n_in, n_out in zip(inputs, widths, strict=True))
        self.pool = nn.MaxPool2d(2)
        pairs = list(zip(widths[:0:-1], widths[-2::-1], strict=True))
        self.rise = nn.ModuleList(nn.ConvTranspose2d(n_in, n_out, 2, 2) for n_in, n_out in pairs)
        self.up = nn.ModuleList(_block(2 * n_out, n_out) for _, n_out in pairs)
        self.head = nn.Conv2d(widths[0], n_classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits ``(n, n_classes, height, width)`` of images ``(n, n_channels, height, width)``."""
        seen = []
        for block in self.down[:-1]:
            seen.append(block(x))
            x = self.pool(seen[-1])
        x = self.down[-1](x)
        for rise, block, beside in zip(self.rise, self.up, reversed(seen), strict=True):
            x = block(torch.cat([beside, rise(x)], dim=1))
        logits: torch.Tensor = self.head(x)
        return logits


def _block(n_in: int, n_out: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(n_in, n_out, 3, padding=1, bias=False),
        nn.BatchNorm2d(n_out),
        nn.ReLU(),
        nn.Conv2d(n_out, n_out, 3, padding=1, bias=False),
        nn.BatchNorm2d(n_out),
        nn.ReLU(),
    )


def build_unet(architecture: Architecture, width: int = 8, depth: int = 4) -> nn.Module:
    """A U-Net with BatchNorm and padded convolutions, so that logits are as large as the image.

    Args:
        architecture: Images whose sides can be halved ``depth - 1`` times.
        width: Channels at full resolution; each resolution below has twice as many.
        depth: Resolutions, the full one included; at least 2.

    Returns:
        The network; 121 060 parameters on one channel with 4 classes.

    Raises:
        ModelError: The input is no image, or its sides cannot be halved so often.

    Source:
        Ronneberger, Fischer & Brox, U-Net, arXiv:1505.04597; BatchNorm and padding are later custom.
    """
    step = 2 ** (depth - 1)
    sides = architecture.input_shape[1:]
    if depth < 2 or not sides or any(side % step for side in sides):
        raise ModelError(
            f"a unet of depth {depth} takes (channels, height, width) with sides that are multiples of {step}, "
            f"received {architecture.input_shape}; choose another size of the images, or a depth from 2 up that fits"
        )
    widths = [width * 2**level for level in range(depth)]
    net = UNet(architecture.input_shape[0], architecture.n_classes, widths)
    for module in net.modules():
        if isinstance(module, nn.Conv2d) and module is not net.head:
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return net
