"""What training adds to its loss so that activations decide: they are on for every row, or off."""

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import torch
from torch import nn

from sentei.depth.activations import Activation
from sentei.depth.entropy import binary_entropy
from sentei.depth.linearise import ready
from sentei.depth.watching import bent_of


class EntropyPenalty:
    """A multiple of the mean entropy of some activations, with soft states so that it has a gradient.

    A neuron is on with the share p = mean of sigmoid(x / temperature) over the rows and positions of a batch, where x
    is what the activation bends; the penalty is strength times the mean over activations of the mean over neurons of
    the binary entropy of p, in bits. For small temperatures p is the share of the rows with x >= 0.

    While entered, every forward pass of the network in training mode is listened to. It is called as
    `sentei.models.penalties.Penalty` is: without arguments, after the forward pass of the batch.

    Args:
        model: Its activations that are functions or are called several times become modules, under the names that
            they have; answers and state dict stay.
        activations: Of this network, from `find_activations`; at least one.
        strength: A factor of 0 or more.
        temperature: In units of x; above 0.

    Raises:
        ValueError: A number lies outside its range, or there is no activation.
        ModelError: An activation is not one of this network.

    Example:
        >>> from sentei.depth import find_activations
        >>> net = nn.Sequential(nn.Linear(1, 1), nn.ReLU())
        >>> with EntropyPenalty(net, find_activations(net, (1,)), strength=0.5) as penalty:
        ...     _ = net(torch.zeros(4, 1))
        ...     0 < penalty().item() <= 0.5
        True
    """

    def __init__(
        self, model: nn.Module, activations: Sequence[Activation], strength: float, temperature: float = 0.1
    ) -> None:
        if not (activations and strength >= 0 and temperature > 0):
            raise ValueError(
                "expected activations, a strength of 0 or more and a temperature above 0, received "
                f"{len(activations)} activations, {strength} and {temperature}"
            )
        self.strength, self.temperature = strength, temperature
        self._activations = tuple(activations)
        self._modules = ready(model, [activation.name for activation in activations])
        self._entropies: dict[str, torch.Tensor] = {}
        self._handles: list[Any] = []

    def __enter__(self) -> Self:
        """Listens from now on."""
        for activation, module in zip(self._activations, self._modules, strict=True):
            self._handles.append(module.register_forward_pre_hook(self._listener(activation), with_kwargs=True))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Listens no more."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self._entropies.clear()

    def __call__(self) -> torch.Tensor:
        """The penalty of the batch that the network saw last: a float32 scalar in [0, strength].

        Raises:
            ValueError: The network has seen no batch in training mode since the penalty was asked last.
        """
        if len(self._entropies) < len(self._activations):
            raise ValueError(
                f"{len(self._entropies)} of {len(self._activations)} activations saw a batch in training mode; enter "
                "the penalty, run the network on a batch, then ask"
            )
        total = self.strength * torch.stack(list(self._entropies.values())).mean()
        self._entropies.clear()
        return total

    def _listener(self, activation: Activation) -> Any:
        def listen(module: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
            if module.training and torch.is_grad_enabled():
                soft = torch.sigmoid(bent_of(inputs, named).float() / self.temperature)
                p = soft.movedim(activation.dim, -1).flatten(0, -2).mean(0)
                self._entropies[activation.name] = binary_entropy(p.clamp(1e-6, 1 - 1e-6)).mean()

        return listen
