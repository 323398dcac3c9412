"""From an architecture to a network with its first weights."""

from collections.abc import Callable
from typing import get_args

import torch
from torch import nn

from sentei.errors import ModelError
from sentei.factories import find_factory, told_as
from sentei.models.architecture import Architecture
from sentei.models.fitting_size import require_fitting
from sentei.models.lenet import build_lenet_5, build_lenet_300_100
from sentei.models.mlp import build_mlp
from sentei.models.resnet_cifar import build_resnet_20
from sentei.models.torchvision_nets import build_torchvision
from sentei.models.torchvision_segmenters import build_segmenter
from sentei.models.unet import build_unet
from sentei.recipe.architectures import TORCHVISION
from sentei.recipe.torchvision_names import TorchvisionClassifier, TorchvisionSegmenter

BUILDERS: dict[str, Callable[..., nn.Module]] = {
    "mlp": build_mlp,
    "lenet-300-100": build_lenet_300_100,
    "lenet-5": build_lenet_5,
    "resnet-20": build_resnet_20,
    "unet": build_unet,
    **dict.fromkeys(get_args(TorchvisionClassifier), build_torchvision),
    **dict.fromkeys(get_args(TorchvisionSegmenter), build_segmenter),
}
"""What builds each known architecture; called with the architecture and the kwargs."""


def build(architecture: Architecture, seed: int) -> nn.Module:
    """The network with the first weights that this seed gives, in eval mode.

    Args:
        architecture: What to build. A factory is called with ``input_shape``, ``n_classes`` and the kwargs.
        seed: Of the initial weights; any integer of 64 bits.

    Returns:
        The network on the CPU. The caller's random numbers go on as if nothing had happened.

    Raises:
        ModelError: The builder refuses the input or its kwargs, or a factory may not run or builds something else.

    Guarantee:
        Equal architecture and seed give equal weights, bit for bit, on one version of torch.

    Example:
        >>> net = build(Architecture(name="mlp", input_shape=(4,), n_classes=2, kwargs={"hidden": [3]}), seed=0)
        >>> [tuple(parameter.shape) for parameter in net.parameters()]
        [(3, 4), (3,), (2, 3), (2,)]
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        net = _from_name(architecture) if architecture.name else _from_factory(architecture)
    return net.eval()


def _from_name(architecture: Architecture) -> nn.Module:
    try:
        net = BUILDERS[architecture.name](architecture, **architecture.kwargs)
    except ModelError:
        raise
    except Exception as error:  # torch answers sizes that no layer can have with errors of many types
        raise ModelError(
            f"{architecture.name} cannot be built with {dict(architecture.kwargs)} for rows of shape "
            f"{architecture.input_shape}: {error}; correct model.kwargs"
        ) from error
    if architecture.name.startswith(TORCHVISION):
        require_fitting(net, architecture)
    return net


def _from_factory(architecture: Architecture) -> nn.Module:
    factory, kwargs = architecture.factory, dict(architecture.kwargs)
    function = find_factory(factory, ModelError)
    with told_as(ModelError, f"{factory} cannot be built with {kwargs}", "mend it or model.kwargs"):
        net = function(input_shape=architecture.input_shape, n_classes=architecture.n_classes, **kwargs)
    if not isinstance(net, nn.Module):
        raise ModelError(f"{factory} must return a torch.nn.Module, it returned {type(net).__name__}")
    what = f"{factory}: the network cannot take a batch of 2 rows of shape {architecture.input_shape}"
    with told_as(ModelError, what, "mend it or choose other data"), torch.no_grad():
        out = net.eval()(torch.zeros(2, *architecture.input_shape))
    expected = (2, architecture.n_classes, *architecture.pixels)
    if not isinstance(out, torch.Tensor) or out.shape != expected:
        got = tuple(out.shape) if isinstance(out, torch.Tensor) else type(out).__name__
        raise ModelError(
            f"{factory} must map a batch of 2 rows to logits of shape {expected}, "
            f"it gave {got}; return one row of logits per input {'pixel' if architecture.pixels else 'row'}"
        )
    return net
