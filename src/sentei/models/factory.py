"""From an architecture to a network with its first weights."""

import os
from collections.abc import Callable
from importlib import import_module
from typing import Any

import torch
from torch import nn

from sentei.errors import ModelError
from sentei.models.architecture import Architecture
from sentei.models.lenet import build_lenet_5, build_lenet_300_100
from sentei.models.mlp import build_mlp
from sentei.models.resnet_cifar import build_resnet_20
from sentei.models.torchvision_nets import build_torchvision

ALLOWED = "SENTEI_FACTORIES"
"""Environment variable: comma-separated top-level modules whose factories may run."""

_BUILDERS: dict[str, Callable[..., nn.Module]] = {
    "mlp": build_mlp,
    "lenet-300-100": build_lenet_300_100,
    "lenet-5": build_lenet_5,
    "resnet-20": build_resnet_20,
    "torchvision/resnet18": build_torchvision,
    "torchvision/mobilenet_v2": build_torchvision,
    "torchvision/vgg16_bn": build_torchvision,
}


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
        try:
            net = _from_name(architecture) if architecture.name else _from_factory(architecture)
        except (TypeError, ValueError) as error:
            what = architecture.name or architecture.factory
            raise ModelError(f"{what} cannot be built with {dict(architecture.kwargs)}: {error}") from error
    return net.eval()


def _from_name(architecture: Architecture) -> nn.Module:
    return _BUILDERS[architecture.name](architecture, **architecture.kwargs)


def _from_factory(architecture: Architecture) -> nn.Module:
    net = _factory(architecture.factory)(
        input_shape=architecture.input_shape, n_classes=architecture.n_classes, **architecture.kwargs
    )
    if not isinstance(net, nn.Module):
        raise ModelError(f"{architecture.factory} must return a torch.nn.Module, it returned {type(net).__name__}")
    with torch.no_grad():
        out = net.eval()(torch.zeros(2, *architecture.input_shape))
    if not isinstance(out, torch.Tensor) or out.shape != (2, architecture.n_classes):
        got = tuple(out.shape) if isinstance(out, torch.Tensor) else type(out).__name__
        raise ModelError(
            f"{architecture.factory} must map a batch of 2 rows to logits of shape (2, {architecture.n_classes}), "
            f"it gave {got}; return one row of logits per input row"
        )
    return net


def _factory(path: str) -> Callable[..., Any]:
    """The function behind ``package.module:function``, if its package is on the list."""
    module, colon, function = path.partition(":")
    allowed = [name.strip() for name in os.environ.get(ALLOWED, "").split(",") if name.strip()]
    if not colon or module.partition(".")[0] not in allowed:
        raise ModelError(
            f"a factory is package.module:function with its package listed in {ALLOWED}, received {path!r} while "
            f"{ALLOWED} lists {allowed}; add the package to {ALLOWED} in the image that you trust"
        )
    try:
        found: Callable[..., Any] = getattr(import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise ModelError(f"the factory {path!r} cannot be imported: {error}; install its package here") from error
    return found
