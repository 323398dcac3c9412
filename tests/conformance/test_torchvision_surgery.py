"""Every family of networks at a small input: without half of its units it answers as with their weights at zero."""

import zlib
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from torch import nn
from torchvision import models
from torchvision.models.maxvit import MaxVit
from torchvision.models.swin_transformer import PatchMergingV2, SwinTransformerBlockV2

from sentei.evaluation.macs import count_macs
from sentei.models import Architecture, build
from sentei.models.attention import separate_heads
from sentei.structure import trace
from tests.unit.surgery.agreement import assert_smaller_is_masked, random_keep, randomise

SMALL, LARGE = (3, 32, 32), (3, 64, 64)


def named(name: str, input_shape: Sequence[int] = SMALL, task: str = "classification", **kwargs: object) -> nn.Module:
    """A network that a recipe can name."""
    architecture = Architecture(name=name, input_shape=tuple(input_shape), n_classes=10, kwargs=kwargs, task=task)  # type: ignore[arg-type]  # a task
    return build(architecture, seed=0)


def vision(name: str, **kwargs: object) -> nn.Module:
    """A network as torchvision builds it."""
    torch.manual_seed(0)
    network: nn.Module = getattr(models, name)(weights=None, num_classes=10, **kwargs)
    return network.eval()


def swin(**kwargs: object) -> nn.Module:
    torch.manual_seed(0)
    return models.SwinTransformer([4, 4], 24, [2, 2], [2, 4], [3, 3], num_classes=10, **kwargs).eval()  # type: ignore[arg-type]  # blocks


def vit() -> nn.Module:
    torch.manual_seed(0)
    return models.VisionTransformer(32, 16, num_layers=2, num_heads=4, hidden_dim=32, mlp_dim=64, num_classes=10).eval()


def maxvit() -> nn.Module:
    torch.manual_seed(0)
    return MaxVit((32, 32), 8, 2, [16, 32], [1, 1], 8, 0.0, num_classes=10).eval()


WITHOUT = {"aux_logits": False, "init_weights": False}

NETS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "mlp": (lambda: named("mlp", (20,), hidden=[30, 16]), (20,)),
    "lenet-5": (lambda: named("lenet-5", (1, 28, 28)), (1, 28, 28)),
    "resnet-20": (lambda: named("resnet-20"), SMALL),
    "resnet-20 with projections": (lambda: named("resnet-20", shortcut="projection"), SMALL),
    "unet": (lambda: named("unet", task="segmentation"), SMALL),
    "resnet18": (lambda: named("torchvision/resnet18"), SMALL),
    "resnet50": (lambda: vision("resnet50"), LARGE),
    "resnext50_32x4d": (lambda: vision("resnext50_32x4d"), LARGE),
    "vgg11_bn": (lambda: named("torchvision/vgg11_bn"), SMALL),
    "densenet121": (lambda: vision("densenet121"), SMALL),
    "mobilenet_v2": (lambda: named("torchvision/mobilenet_v2"), SMALL),
    "mobilenet_v3_small": (lambda: vision("mobilenet_v3_small"), LARGE),
    "efficientnet_b0": (lambda: vision("efficientnet_b0"), SMALL),
    "efficientnet_v2_s": (lambda: vision("efficientnet_v2_s"), SMALL),
    "convnext_tiny": (lambda: vision("convnext_tiny"), LARGE),
    "shufflenet_v2_x0_5": (lambda: vision("shufflenet_v2_x0_5"), LARGE),
    "mnasnet0_5": (lambda: vision("mnasnet0_5"), LARGE),
    "regnet_y_400mf": (lambda: vision("regnet_y_400mf"), LARGE),
    "squeezenet1_1": (lambda: vision("squeezenet1_1"), LARGE),
    "googlenet": (lambda: vision("googlenet", **WITHOUT), LARGE),
    "inception_v3": (lambda: vision("inception_v3", **WITHOUT), (3, 75, 75)),
    "alexnet": (lambda: vision("alexnet"), (3, 63, 63)),
    "vit": (vit, SMALL),
    "swin": (swin, SMALL),
    "swin_v2": (lambda: swin(block=SwinTransformerBlockV2, downsample_layer=PatchMergingV2), SMALL),
    "maxvit": (maxvit, SMALL),
    "fcn": (lambda: named("torchvision/fcn_resnet50", task="segmentation"), SMALL),
    "deeplabv3": (lambda: named("torchvision/deeplabv3_resnet50", task="segmentation"), SMALL),
    "lraspp": (lambda: named("torchvision/lraspp_mobilenet_v3_large", task="segmentation"), SMALL),
}


@pytest.mark.parametrize("name", NETS)
def test_half_of_all_units_leave(name):
    """Also: the smaller network costs what was foretold, and has the remaining units to lose."""
    make, shape = NETS[name]
    network = separate_heads(randomise(make()))
    structure = trace(network, shape)
    keep = random_keep(structure, np.random.default_rng(zlib.crc32(name.encode())))

    slim, _ = assert_smaller_is_masked(network, structure, keep, shape, changes=0.01)

    assert count_macs(slim, shape).total == structure.macs(keep)
    remaining = [(group.name, int(keep[group.name].sum())) for group in structure.groups]
    assert [(group.name, group.n_units) for group in trace(slim, shape).groups] == [
        one for one in remaining if one[1] > 1
    ]
    assert structure.n_parameters(keep) < 0.9 * structure.n_parameters({})
