"""Activations that learn how straight they may be: the comparison with Layer Folding."""

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

import torch
from torch import nn

from sentei.depth.linearise import ready
from sentei.depth.rectifiers import Call


class FoldingActivation(nn.Module):
    """(1 - a) act(x) + a x with a learned slope a: the activation at a = 0, the identity at a = 1.

    Of a ReLU it is the PReLU with the slope a for negative numbers.

    Args:
        activation: What bends.
        like: Gives the slope its type and device.

    Attributes:
        slope: A scalar that starts at 0; what lies outside [0, 1] counts as the nearest end.
    """

    def __init__(self, activation: nn.Module, like: torch.Tensor) -> None:
        super().__init__()
        self.activation = activation
        self.slope = nn.Parameter(torch.zeros((), dtype=like.dtype, device=like.device))
        self._writes = isinstance(activation, Call) or bool(getattr(activation, "inplace", False))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The mixture of what is bent and what is not."""
        slope = self.slope.clamp(0, 1)
        bent: torch.Tensor = self.activation(x.clone() if self._writes else x)
        return (1 - slope) * bent + slope * x


class Folding:
    """While entered, activations of a network learn slopes, and the penalty draws the slopes to 1.

    The penalty is strength times the mean over the activations of |1 - a|. It is called as
    `sentei.models.penalties.Penalty` is, without arguments. Slopes are parameters of the network while this is
    entered, named ``<activation>.slope``: make the optimiser afterwards, and spare them weight decay if there is any.

    Args:
        model: Its activations stand aside while this is entered, and are back on leaving.
        names: As `find_activations` names them, at least one.
        strength: A factor of 0 or more.

    Raises:
        ValueError: No name, or a strength below 0.
        ModelError: A name is no activation of this network.

    Source:
        Dror, Zehngut, Raviv, Artyomov, Vitek & Jevnisek, Layer Folding: neural network depth reduction using
        activation linearization, arXiv:2106.09309; there with another power of the slope in the penalty.

    Example:
        >>> net = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
        >>> with Folding(net, ["1"], strength=0.5) as folding:
        ...     _ = net[1].slope.data.fill_(0.75)
        ...     print(folding().item(), folding.slopes())
        0.125 {'1': 0.75}
        >>> net[1]
        ReLU()
    """

    def __init__(self, model: nn.Module, names: Sequence[str], strength: float) -> None:
        if not (names and strength >= 0):
            raise ValueError(f"expected names and a strength of 0 or more, received {list(names)} and {strength}")
        self.strength = strength
        self._model = model
        activations = dict(zip(names, ready(model, names), strict=True))
        like = next((p for p in model.parameters() if p.is_floating_point()), torch.zeros(()))
        self._folding = {name: FoldingActivation(module, like) for name, module in activations.items()}

    def __enter__(self) -> Self:
        """Activations learn from now on."""
        for name, module in self._folding.items():
            self._put(name, module.train(module.activation.training))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """They bend as before; what the slopes became is kept here."""
        for name, module in self._folding.items():
            self._put(name, module.activation)

    def __call__(self) -> torch.Tensor:
        """The penalty of the slopes as they are now: a scalar of 0 or more."""
        slopes = torch.stack([module.slope for module in self._folding.values()])
        return self.strength * (1 - slopes).abs().mean()

    def slopes(self) -> Mapping[str, float]:
        """The slope of each activation, in [0, 1]."""
        return {name: module.slope.detach().clamp(0, 1).item() for name, module in self._folding.items()}

    def _put(self, name: str, module: nn.Module) -> None:
        parent, _, own = name.rpartition(".")
        setattr(self._model.get_submodule(parent), own, module)
