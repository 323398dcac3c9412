"""Which modules and which functions are activations: those that bend what passes through them, number by number."""

from collections.abc import Callable
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional as F

MODULES = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.GELU, nn.SiLU, nn.Hardswish, nn.ELU)

_NAMES = ("relu", "relu6", "leaky_relu", "prelu", "gelu", "silu", "hardswish", "elu")
_HOMES = (F, torch, torch.Tensor)

FUNCTIONS: frozenset[Callable[..., Any]] = frozenset(
    getattr(home, name + end) for home in _HOMES for name in _NAMES for end in ("", "_") if hasattr(home, name + end)
)
"""As torch knows them: ``F.relu``, ``torch.relu``, ``torch.Tensor.relu_`` and their relatives."""


class Call(nn.Module):
    """One call of an activation, as a module of its own.

    Args:
        activation: A function, or a module that other calls use as well; its weights keep their own names.
        args: Constants that the call hands on, after what is bent.
        kwargs: The same, by name.
    """

    def __init__(self, activation: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        super().__init__()
        self.held = (activation,)  # in a tuple, so that torch does not take the module's weights for this one's own
        self.args, self.kwargs = args, kwargs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """What the activation makes of ``x``."""
        bent: torch.Tensor = self.held[0](x, *self.args, **self.kwargs)
        return bent

    def extra_repr(self) -> str:
        """The activation's own name."""
        return getattr(self.held[0], "__name__", str(self.held[0]))


def is_rectifier(module: nn.Module | None) -> bool:
    """Whether a module is an activation.

    Example:
        >>> is_rectifier(nn.ReLU6()), is_rectifier(nn.Identity())
        (True, False)
    """
    return isinstance(module, (*MODULES, Call))


def kind_of(module: nn.Module) -> str:
    """What an activation is called in lower case, without the mark of one that works in place.

    Example:
        >>> kind_of(nn.LeakyReLU()), kind_of(Call(torch.relu_))
        ('leakyrelu', 'relu')
    """
    if not isinstance(module, Call):
        return type(module).__name__.lower()
    held = module.held[0]
    return kind_of(held) if isinstance(held, nn.Module) else held.__name__.rstrip("_").replace("_", "")


def called(node: fx.Node, owner: nn.Module) -> Callable[..., Any] | None:
    """The activation that a node of an owner's graph calls; ``None`` if it calls none."""
    if node.op == "call_module":
        module = owner.get_submodule(str(node.target))
        return module if is_rectifier(module) else None
    target = getattr(torch.Tensor, str(node.target), None) if node.op == "call_method" else node.target
    return target if callable(target) and target in FUNCTIONS else None
