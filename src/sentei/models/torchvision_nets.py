"""Networks of torchvision, fitted to small images: their own first layers throw most of a 32x32 image away."""

from collections import OrderedDict
from typing import Any

from torch import nn

from sentei.errors import ModelError
from sentei.models.architecture import Architecture

SMALL = 64
"""Images with a side below this get the fitted stem; larger ones torchvision's own."""


def build_torchvision(architecture: Architecture, **kwargs: Any) -> nn.Module:
    """A network of torchvision whose first and last layers fit the architecture.

    Args:
        architecture: Named ``torchvision/...``; any number of channels, sides of 8 or more.
        kwargs: Handed to torchvision's constructor (``dropout``, ``width_mult``, ...).

    Returns:
        The network with random weights.

    Raises:
        ModelError: The input is no image, or too small.
    """
    if len(architecture.input_shape) != 3 or min(architecture.input_shape[1:]) < 8:
        raise ModelError(
            f"{architecture.name} takes (channels, height, width) with sides of 8 or more, "
            f"received {architecture.input_shape}"
        )
    from torchvision import models  # takes seconds to import, so only these networks do it

    name = architecture.name.removeprefix("torchvision/")
    net: nn.Module = getattr(models, name)(num_classes=architecture.n_classes, **kwargs)
    _FIT[name](net, architecture)
    return net


def _fit_resnet18(net: Any, architecture: Architecture) -> None:
    """A 3x3 stem with stride 1 and no pooling for small images."""
    n_channels = architecture.input_shape[0]
    if min(architecture.input_shape[1:]) < SMALL:
        net.conv1 = nn.Conv2d(n_channels, 64, 3, 1, 1, bias=False)
        net.maxpool = nn.Identity()
    elif n_channels != 3:
        net.conv1 = nn.Conv2d(n_channels, 64, 7, 2, 3, bias=False)
    nn.init.kaiming_normal_(net.conv1.weight, mode="fan_out", nonlinearity="relu")


def _fit_mobilenet_v2(net: Any, architecture: Architecture) -> None:
    """Stride 1 in the first two places that halve the image."""
    small = min(architecture.input_shape[1:]) < SMALL
    stem = net.features[0][0]
    net.features[0][0] = nn.Conv2d(architecture.input_shape[0], stem.out_channels, 3, 1 if small else 2, 1, bias=False)
    nn.init.kaiming_normal_(net.features[0][0].weight, mode="fan_out")
    if small:
        net.features[2].conv[1][0].stride = (1, 1)


def _fit_vgg16_bn(net: Any, architecture: Architecture) -> None:
    """Only as many poolings as the image has halves, a global mean, and a classifier 512-512-512-classes."""
    side = min(architecture.input_shape[1:])
    if architecture.input_shape[0] != 3:
        net.features[0] = nn.Conv2d(architecture.input_shape[0], 64, 3, 1, 1)
        nn.init.kaiming_normal_(net.features[0].weight, mode="fan_out", nonlinearity="relu")
    poolings = [index for index, module in enumerate(net.features) if isinstance(module, nn.MaxPool2d)]
    for index in poolings[side.bit_length() - 1 :]:
        net.features[index] = nn.Identity()
    if side < SMALL:
        dropout = next(module.p for module in net.classifier if isinstance(module, nn.Dropout))
        net.avgpool = nn.AdaptiveAvgPool2d(1)
        net.classifier = _small_classifier(architecture.n_classes, dropout)


def _small_classifier(n_classes: int, dropout: float) -> nn.Module:
    return nn.Sequential(
        OrderedDict(
            fc1=nn.Linear(512, 512),
            relu1=nn.ReLU(),
            dropout1=nn.Dropout(dropout),
            fc2=nn.Linear(512, 512),
            relu2=nn.ReLU(),
            dropout2=nn.Dropout(dropout),
            fc3=nn.Linear(512, n_classes),
        )
    )


_FIT = {"resnet18": _fit_resnet18, "mobilenet_v2": _fit_mobilenet_v2, "vgg16_bn": _fit_vgg16_bn}
