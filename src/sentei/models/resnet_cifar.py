"""The residual networks that He et al. made for CIFAR: three stages of 16, 32 and 64 channels."""

from collections import OrderedDict

import torch
from torch import nn
from torch.nn import functional as F

from sentei.errors import ModelError
from sentei.models.architecture import Architecture


class PaddedShortcut(nn.Module):
    """He's option A: every second pixel, and zeros for the channels that are new. It has no weights."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.n_before = (n_out - n_in) // 2
        self.n_after = n_out - n_in - self.n_before

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The input at half the resolution with more channels."""
        return F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.n_before, self.n_after))


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with BatchNorm, and the input added before the last ReLU."""

    def __init__(self, n_in: int, n_out: int, stride: int, shortcut: str) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(n_out)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(n_out, n_out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(n_out)
        self.shortcut = _shortcut(n_in, n_out, stride, shortcut)
        self.relu2 = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The block's output: ``relu(f(x) + shortcut(x))``."""
        y = self.relu1(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        out: torch.Tensor = self.relu2(y + self.shortcut(x))
        return out


def _shortcut(n_in: int, n_out: int, stride: int, shortcut: str) -> nn.Module:
    if stride == 1 and n_in == n_out:
        return nn.Identity()
    if shortcut == "pad":
        return PaddedShortcut(n_in, n_out)
    return nn.Sequential(OrderedDict(conv=nn.Conv2d(n_in, n_out, 1, stride, bias=False), bn=nn.BatchNorm2d(n_out)))


def build_resnet_20(architecture: Architecture, shortcut: str = "pad", width: int = 16) -> nn.Module:
    """ResNet-20 in the form for small images: one 3x3 stem, three stages of three blocks, global mean, one layer.

    Args:
        architecture: Images of any size with sides of 4 or more.
        shortcut: ``pad`` is He's option A, without weights (269 722 parameters on 3 channels with 10 classes);
            ``projection`` is option B, a 1x1 convolution with BatchNorm (272 474 parameters).
        width: Channels of the first stage; the other two have twice and four times as many.

    Returns:
        The network, convolutions initialised as He et al. do (normal, fan out).

    Raises:
        ModelError: The input is no image, too small, or the shortcut is unknown.

    Source:
        He et al., Deep residual learning, arXiv:1512.03385, section 4.2.
    """
    if len(architecture.input_shape) != 3 or min(architecture.input_shape[1:]) < 4:
        raise ModelError(
            f"resnet-20 takes (channels, height, width) with sides of 4 or more, received {architecture.input_shape}"
        )
    if shortcut not in ("pad", "projection"):
        raise ModelError(f"a shortcut of resnet-20 is 'pad' or 'projection', received {shortcut!r}")
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=nn.Conv2d(architecture.input_shape[0], width, 3, 1, 1, bias=False),
        bn1=nn.BatchNorm2d(width),
        relu1=nn.ReLU(),
        stage1=_stage(width, width, 1, shortcut),
        stage2=_stage(width, 2 * width, 2, shortcut),
        stage3=_stage(2 * width, 4 * width, 2, shortcut),
        pool=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
        fc=nn.Linear(4 * width, architecture.n_classes),
    )
    net = nn.Sequential(layers)
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return net


def _stage(n_in: int, n_out: int, stride: int, shortcut: str) -> nn.Module:
    first = ResidualBlock(n_in, n_out, stride, shortcut)
    return nn.Sequential(first, *(ResidualBlock(n_out, n_out, 1, shortcut) for _ in range(2)))
