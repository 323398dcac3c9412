"""How undecided the neurons of each activation are: the layer with the least entropy can lose its activation."""

import copy
from collections.abc import Iterable, Mapping, Sequence
from math import log
from typing import Any

import torch
from torch import nn

from sentei.depth.activations import Activation
from sentei.depth.linearise import ready
from sentei.depth.watching import bent_of
from sentei.errors import ModelError
from sentei.models.inference import in_eval_mode


class _Counts:
    """How often each neuron of one activation was on, as integers."""

    def __init__(self, activation: Activation) -> None:
        self.activation = activation
        self.n_on = torch.zeros(activation.n_neurons, dtype=torch.int64)
        self.n_seen = 0

    def add(self, module: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
        on = (bent_of(inputs, named) >= 0).movedim(self.activation.dim, -1).flatten(0, -2)
        self.n_on += on.sum(0).cpu()
        self.n_seen += len(on)

    def entropy(self) -> float:
        if not self.n_seen:
            raise ModelError(f"no row came to {self.activation.name!r}; bring rows that take the whole forward pass")
        return float(binary_entropy(self.n_on.double() / self.n_seen).mean())


def binary_entropy(p: torch.Tensor) -> torch.Tensor:
    """Bits that tell whether something of probability p happened.

    Args:
        p: Probabilities, of any shape.

    Returns:
        -p log2 p - (1 - p) log2 (1 - p), in [0, 1]; 0 where p is 0 or 1.

    Example:
        >>> binary_entropy(torch.tensor([0.0, 0.5, 1.0])).tolist()
        [0.0, 1.0, 0.0]
    """
    bits: torch.Tensor = (torch.special.entr(p) + torch.special.entr(1 - p)) / log(2)
    return bits


def entropies(
    model: nn.Module, activations: Sequence[Activation], batches: Iterable[torch.Tensor]
) -> Mapping[str, float]:
    """The entropy of each activation: a neuron is on if what it bends is 0 or more.

    Args:
        model: Only read; asked in eval mode.
        activations: Of this network, from `find_activations`.
        batches: What the network takes, ``(n, ...)`` each; from the scoring split, never from calibration.

    Returns:
        By name, in bits: the mean over neurons of the binary entropy of the share of samples and positions at which
        they are on. 0 if each neuron is always on or always off, 1 if each is on half of the time.

    Raises:
        ModelError: An activation is not one of this network, or no row came to it.

    Guarantee:
        Shares come from integer counts over all rows: the sizes of the batches do not matter, as long as the network
        answers each row alike in each of them.

    Source:
        Quétu, Liao & Tartaglione, The simpler the better: an entropy-based importance metric to reduce neural
        networks' depth, arXiv:2404.18949.

    Example:
        >>> from sentei.depth import find_activations
        >>> net = nn.Sequential(nn.Linear(1, 1), nn.ReLU())
        >>> _ = net[0].weight.data.fill_(1), net[0].bias.data.zero_()
        >>> entropies(net, find_activations(net, (1,)), [torch.tensor([[-1.0], [2.0]])])
        {'1': 1.0}
    """
    twin = copy.deepcopy(model)
    modules = ready(twin, [activation.name for activation in activations])
    counts = [_Counts(activation) for activation in activations]
    for module, count in zip(modules, counts, strict=True):
        module.register_forward_pre_hook(count.add, with_kwargs=True)
    device = next((parameter.device for parameter in twin.parameters()), torch.device("cpu"))
    with in_eval_mode(twin), torch.no_grad():
        for batch in batches:
            twin(batch.to(device))
    return {count.activation.name: count.entropy() for count in counts}
