"""A network of one's own, as recipes name it: ``factory: my_package.nets:build``."""

from torch import nn


def build(input_shape: tuple[int, ...], n_classes: int, width: int = 24) -> nn.Module:
    """A perceptron with one hidden layer."""
    n_inputs = 1
    for extent in input_shape:
        n_inputs *= extent
    return nn.Sequential(nn.Flatten(), nn.Linear(n_inputs, width), nn.ReLU(), nn.Linear(width, n_classes))
