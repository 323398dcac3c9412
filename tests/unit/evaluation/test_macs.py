"""Multiplications counted by hand."""

import pytest
import torch
from torch import nn

from sentei.evaluation.macs import Macs, count_macs, n_parameters
from sentei.models import Architecture, build


@pytest.mark.parametrize(
    ("net", "shape", "by_hand"),
    [
        (nn.Linear(7, 3), (7,), 21),
        (nn.Linear(7, 3), (5, 7), 5 * 21),  # used at five positions
        (nn.Conv2d(3, 8, 3, padding=1), (3, 10, 12), 10 * 12 * 8 * 3 * 9),
        (nn.Conv2d(3, 8, 3, stride=2), (3, 9, 9), 4 * 4 * 8 * 3 * 9),
        (nn.Conv2d(4, 8, 3, groups=4), (4, 5, 5), 3 * 3 * 8 * 9),
        (nn.Conv1d(2, 4, 5), (2, 9), 5 * 4 * 2 * 5),
        (nn.ConvTranspose2d(2, 3, 2, stride=2), (2, 4, 4), 4 * 4 * 2 * 3 * 4),
        (nn.BatchNorm2d(3), (3, 4, 4), 0),
    ],
)
def test_single_layers(net, shape, by_hand):
    assert count_macs(net, shape) == Macs(by_hand, by_hand)


def test_the_mlp_of_the_paper():
    net = build(Architecture(name="mlp", input_shape=(1, 28, 28), n_classes=10), 0)

    assert count_macs(net, (1, 28, 28)).total == 784 * 128 + 128 * 128 + 128 * 10
    assert n_parameters(net) == 118_282


def test_lenet_5():
    """Two convolutions at 28x28 and 10x10, then 400-120-84-10."""
    net = build(Architecture(name="lenet-5", input_shape=(1, 28, 28), n_classes=10), 0)

    assert count_macs(net, (1, 28, 28)).total == 28**2 * 6 * 25 + 10**2 * 16 * 6 * 25 + 400 * 120 + 120 * 84 + 840


def test_zeros_are_counted_where_they_are_used():
    net = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1, bias=False), nn.Flatten(), nn.Linear(32, 4))
    with torch.no_grad():
        net[0].weight[0] = 0
        net[2].weight[:, :16] = 0

    assert count_macs(net, (1, 4, 4)) == Macs(16 * 18 + 128, 16 * 9 + 64)


def test_a_layer_used_twice_costs_twice():
    layer = nn.Linear(4, 4)
    net = nn.Sequential(layer, nn.ReLU(), layer)

    assert count_macs(net, (4,)).total == 32
    assert n_parameters(net) == 20


def test_counting_leaves_no_trace():
    net = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)).train()
    count_macs(net, (4,))

    assert net.training
    assert not net[0]._forward_hooks
    assert net[1].num_batches_tracked == 0
