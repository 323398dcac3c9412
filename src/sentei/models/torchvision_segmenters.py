"""torchvision's networks for segmentation, fitted to any number of channels and giving plain logits."""

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from sentei.errors import ModelError
from sentei.models.architecture import Architecture
from sentei.models.torchvision_nets import fit_resnet

SMALL = 64
"""Images with a side below this keep their resolution in the first layer; larger ones are halved there."""


class PixelLogits(nn.Module):
    """A network of torchvision without the dictionary around its answer; its weights keep torchvision's names.

    Args:
        net: With a ``backbone`` that gives features by name and a ``classifier`` that reads them.
        reads_all: Whether the classifier takes all features or only ``out``.
    """

    def __init__(self, net: Any, reads_all: bool) -> None:
        super().__init__()
        self.backbone, self.classifier = net.backbone, net.classifier
        self.reads_all = reads_all

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits ``(n, n_classes, height, width)``, interpolated to the size of the images."""
        features = self.backbone(x)
        coarse = self.classifier(features if self.reads_all else features["out"])
        return F.interpolate(coarse, size=x.shape[-2:], mode="bilinear", align_corners=False)


def build_segmenter(architecture: Architecture) -> nn.Module:
    """A segmentation network of torchvision on a dilated MobileNetV3-Large or ResNet, without auxiliary loss.

    Args:
        architecture: Named ``torchvision/lraspp_...``, ``torchvision/deeplabv3_...`` or ``torchvision/fcn_...``; any
            number of channels, sides of 16 or more.

    Returns:
        The network with random weights.

    Raises:
        ModelError: The input is no image, or too small.

    Source:
        Howard et al., Searching for MobileNetV3, arXiv:1905.02244 (LR-ASPP); Chen et al., Rethinking atrous
        convolution, arXiv:1706.05587 (DeepLabV3); Long et al., Fully convolutional networks for semantic segmentation,
        arXiv:1411.4038 (FCN).
    """
    if len(architecture.input_shape) != 3 or min(architecture.input_shape[1:]) < 16:
        raise ModelError(
            f"{architecture.name} takes (channels, height, width) with sides of 16 or more, "
            f"received {architecture.input_shape}"
        )
    from torchvision.models import segmentation  # takes seconds to import, so only these networks do it

    name = architecture.name.removeprefix("torchvision/")
    weights = {"weights": None, "weights_backbone": None}
    net = getattr(segmentation, name)(num_classes=architecture.n_classes, **weights)
    if "mobilenet" in name:
        _fit_stem(net.backbone["0"][0], net.backbone["0"], architecture)
    else:
        fit_resnet(net.backbone, architecture)
    return PixelLogits(net, reads_all=name.startswith("lraspp"))


def _fit_stem(first: nn.Conv2d, stem: Any, architecture: Architecture) -> None:
    """A first convolution for the image's channels; with stride 1 for small images."""
    stride = 1 if min(architecture.input_shape[1:]) < SMALL else 2
    stem[0] = nn.Conv2d(architecture.input_shape[0], first.out_channels, 3, stride, 1, bias=False)
    nn.init.kaiming_normal_(stem[0].weight, mode="fan_out")
