"""Networks of torchvision, fitted to small images: their own first layers throw most of a 32x32 image away."""

from collections import OrderedDict
from typing import Any

from torch import nn

from sentei.errors import ModelError
from sentei.models.architecture import Architecture
from sentei.models.stem import take_channels
from sentei.recipe.architectures import OURS

SMALL = 64
"""Images with a side below this get the fitted stem; larger ones torchvision's own."""

WINDOWED = 224
"""MaxViT's windows of 7 positions fit five halvings of sides that are multiples of this."""


def build_torchvision(architecture: Architecture, **kwargs: Any) -> nn.Module:
    """A network of torchvision whose first and last layers fit the architecture.

    ResNet, ResNeXt and Wide ResNet, MobileNetV2 and VGG get another stem for small images; every other network has
    torchvision's own layers. The first convolution takes as many channels as the image has.

    Args:
        architecture: Named ``torchvision/...``; any number of channels, sides of 8 or more. A vision transformer takes
            square images in whole patches, MaxViT sides that are multiples of 224.
        kwargs: Handed to torchvision's constructor (``dropout``, ``width_mult``, ...).

    Returns:
        The network with random weights, without auxiliary outputs; its weights have torchvision's names.

    Raises:
        ModelError: The input is no image, too small, or cannot be cut into patches, or an argument is not for kwargs.
    """
    if len(architecture.input_shape) != 3 or min(architecture.input_shape[1:]) < 8:
        raise ModelError(
            f"{architecture.name} takes (channels, height, width) with sides of 8 or more, "
            f"received {architecture.input_shape}"
        )
    for name in OURS.keys() & kwargs.keys():
        raise ModelError(f"{architecture.name} takes no argument {name!r} here: {OURS[name]}; remove it from kwargs")
    from torchvision import models  # takes seconds to import, so only these networks do it

    name = architecture.name.removeprefix("torchvision/")
    net: nn.Module = getattr(models, name)(num_classes=architecture.n_classes, **_own(name, architecture), **kwargs)
    fit = next((fit for family, fit in _FIT.items() if name.startswith(family)), None)
    if fit:
        fit(net, architecture)
    else:
        take_channels(net, architecture.input_shape[0])
    return net


def _own(name: str, architecture: Architecture) -> dict[str, Any]:
    """What the constructor is told because the architecture says it, or because one output is all that is trained."""
    if name.startswith("vit"):
        return {"image_size": _square_side(name, architecture)}
    if name.startswith("maxvit"):
        return {"input_size": _windowed_sides(architecture)}
    if name in ("googlenet", "inception_v3"):
        return {"aux_logits": False, "transform_input": False, "init_weights": False}
    return {}


def _square_side(name: str, architecture: Architecture) -> int:
    patch = int(name.rpartition("_")[2])
    height, width = architecture.input_shape[1:]
    if height != width or height % patch:
        raise ModelError(
            f"{architecture.name} takes square images whose side is a multiple of its patches' {patch} pixels, "
            f"received {architecture.input_shape}; resize the images or choose another network"
        )
    return height


def _windowed_sides(architecture: Architecture) -> tuple[int, ...]:
    if any(side % WINDOWED for side in architecture.input_shape[1:]):
        raise ModelError(
            f"{architecture.name} takes images with sides that are multiples of {WINDOWED}, received "
            f"{architecture.input_shape}; resize the images or choose another network"
        )
    return architecture.input_shape[1:]


def fit_resnet(net: Any, architecture: Architecture) -> None:
    """A 3x3 stem with stride 1 and no pooling for small images.

    Args:
        net: A ResNet or a relative of it, or the part of one that gives features; changed in place.
        architecture: Of images.
    """
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


def _fit_vgg(net: Any, architecture: Architecture) -> None:
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


_FIT = {
    "resnet": fit_resnet,
    "resnext": fit_resnet,
    "wide_resnet": fit_resnet,
    "mobilenet_v2": _fit_mobilenet_v2,
    "vgg": _fit_vgg,
}
"""By the first letters of the name."""
