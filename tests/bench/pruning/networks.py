"""torchvision's networks with weights that make a comparison worth something."""

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

COVERED = (
    *("resnet18", "resnet34", "resnet50", "resnext50_32x4d", "wide_resnet50_2", "vgg16_bn", "densenet121"),
    *("mobilenet_v2", "mobilenet_v3_large", "efficientnet_b0", "efficientnet_v2_s", "convnext_tiny"),
    *("shufflenet_v2_x1_0", "mnasnet1_0", "regnet_y_400mf", "squeezenet1_1", "googlenet", "inception_v3"),
    *("vit_b_16", "swin_t", "maxvit_t"),
)


def side_of(name: str) -> int:
    """The image side that a network was published for."""
    return 299 if name == "inception_v3" else 224


def network(name: str, seed: int = 0) -> nn.Module:
    """In eval mode, with random weights: none so small, and no statistics so plain, that a mistake would hide."""
    from torchvision import models

    plain = {"aux_logits": False, "init_weights": False} if name in ("googlenet", "inception_v3") else {}
    torch.manual_seed(seed)
    net: nn.Module = getattr(models, name)(weights=None, **plain).eval()
    for module in net.modules():
        if isinstance(module, _BatchNorm):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0.0, 0.2)
            nn.init.normal_(module.running_mean, 0.0, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    for key, parameter in net.named_parameters():
        if key.endswith("layer_scale"):
            nn.init.constant_(parameter, 0.5)
        if key == "heads.head.weight":
            nn.init.normal_(parameter, 0.0, 0.1)
    return net
