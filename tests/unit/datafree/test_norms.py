"""Units that leave by the size of their weights, against numpy."""

import numpy as np
import torch
from torch import nn

from sentei.datafree.norms import smallest, unit_norms
from sentei.structure import trace
from tests.property.random_networks import Told


def test_the_norm_of_a_filter_by_brute_force():
    """The sum of absolute weights, divided by nine."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 7, 3), nn.BatchNorm2d(7), nn.ReLU(), nn.Conv2d(7, 2, 1))

    found = unit_norms(net, trace(net, (3, 6, 6)).groups[0])

    weight = net[0].weight.detach().double().numpy()
    assert np.allclose(found, [np.abs(weight[unit]).sum() / 9 for unit in range(7)])


def test_units_of_several_layers_have_the_mean():
    """A residual stream that a 3x3 and a 1x1 convolution make."""
    torch.manual_seed(0)
    net = Told(
        lambda m, x: m.c(torch.relu(m.a(x) + m.b(x))),
        a=nn.Conv2d(3, 5, 3, padding=1), b=nn.Conv2d(3, 5, 1), c=nn.Conv2d(5, 2, 1),
    )  # fmt: skip

    found = unit_norms(net, trace(net, (3, 6, 6)).groups[0])

    a, b = (layer.weight.detach().double().abs().sum((1, 2, 3)).numpy() for layer in (net.a, net.b))
    assert np.allclose(found, (a / 9 + b) / 2)


def test_units_of_several_places_have_the_sum():
    """Groups of a grouped convolution, and a transposed one whose outputs are its second dimension."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(4, 8, 1, groups=1), nn.Conv2d(8, 4, 3, groups=2), nn.Conv2d(4, 2, 1))
    up = nn.Sequential(nn.ConvTranspose2d(3, 5, 2, 2), nn.ReLU(), nn.Conv2d(5, 2, 1))

    group = trace(net, (4, 6, 6)).groups[0]
    found, raised = unit_norms(net, group), unit_norms(up, trace(up, (3, 4, 4)).groups[0])

    first = net[0].weight.detach().double().abs().sum((1, 2, 3)).reshape(2, 4).sum(1)
    second = net[1].weight.detach().double().abs().sum((1, 2, 3)).reshape(2, 2).sum(1) / 9
    assert np.allclose(found, ((first + second) / 2).numpy())
    assert np.allclose(raised, up[0].weight.detach().double().abs().sum((0, 2, 3)).numpy() / 4)


def test_the_smallest_leave_and_no_layer_is_left_without_units():
    """Two layers that make different parts of the channels which one layer treats together."""
    net = Told(
        lambda m, x: m.d(m.c(torch.cat([m.a(x), m.b(x)], 1))),
        a=nn.Conv2d(3, 2, 1), b=nn.Conv2d(3, 2, 1), c=nn.Conv2d(4, 4, 3, groups=4), d=nn.Conv2d(4, 2, 1),
    )  # fmt: skip
    group = trace(net, (3, 6, 6)).groups[0]
    assert group.n_units == 4

    assert smallest(np.array([1.0, 2.0, 3.0, 4.0]), group, 2).tolist() == [False, True, False, True]
    assert smallest(np.array([1.0, 1.0, 1.0, 1.0]), group, 1).tolist() == [False, True, True, True]
    assert smallest(np.array([4.0, 3.0, 2.0, 1.0]), group, 4).sum() == 2
