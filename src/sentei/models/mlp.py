"""Fully connected networks: flattened rows, ReLU between the layers."""

from collections import OrderedDict
from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from sentei.models.architecture import Architecture


def build_mlp(architecture: Architecture, hidden: Sequence[int] = (128, 128)) -> nn.Module:
    """A fully connected network with ReLU between its layers.

    Args:
        architecture: Any input shape; a row is flattened.
        hidden: Neurons in each hidden layer; may be empty (then the network is linear).

    Returns:
        A network with layers ``fc1``, ``fc2``, ... and the names that torch gives their parameters.

    Source:
        784-128-128-10 with 118 282 parameters is the network of Alvarez, arXiv:2408.04759.

    Example:
        >>> net = build_mlp(Architecture(name="mlp", input_shape=(1, 28, 28), n_classes=10))
        >>> sum(parameter.numel() for parameter in net.parameters())
        118282
    """
    widths = [architecture.n_inputs, *hidden, architecture.n_classes]
    layers: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
    for index, (n_in, n_out) in enumerate(pairwise(widths), start=1):
        layers[f"fc{index}"] = nn.Linear(n_in, n_out)
        if index < len(widths) - 1:
            layers[f"relu{index}"] = nn.ReLU()
    return nn.Sequential(layers)
