"""Rows whose label cannot change: none of them ever does, and what is told is worth having."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from sentei.intervals import Box, unchanged_rows
from tests.property.random_networks import Told
from tests.unit.intervals.samples import disturbed, doubled, drawn


def dense() -> nn.Module:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(18, 16), nn.ReLU(), nn.Linear(16, 4))
    with torch.no_grad():
        net[3].weight.mul_(3)
    return net


ROWS = np.random.default_rng(0).uniform(0, 1, (60, 2, 3, 3))


@pytest.mark.parametrize("radius", [0.0, 0.01, 0.05])
@pytest.mark.parametrize("readout", ["linear", "other"])
def test_no_row_that_is_told_changes_its_label(radius, readout):
    """Samples and corners around every row; and some rows are told, but not all."""
    net = dense() if readout == "linear" else nn.Sequential(*dense(), nn.Unflatten(1, (4, 1)), nn.Flatten())
    generator = torch.Generator().manual_seed(1)
    other = disturbed(net, 0.05, generator)

    told = unchanged_rows(net, other, ROWS, radius, 0.0, 1.0, batch_size=17)

    inputs = torch.from_numpy(ROWS)
    labels = doubled(net)(inputs).argmax(1)
    box = Box.of((inputs - radius).clamp(0, 1), (inputs + radius).clamp(0, 1))
    for x in drawn(box, 60, generator):
        kept = (doubled(other)(x).argmax(1) == labels).numpy()
        assert kept[told].all()
    assert 0 < told.sum() < 60


def test_at_radius_0_exactly_the_rows_whose_label_stays_are_told():
    """Bounds of a point are the answers themselves."""
    net = dense()
    other = disturbed(net, 0.3, torch.Generator().manual_seed(4))
    inputs = torch.from_numpy(ROWS)

    told = unchanged_rows(net, other, ROWS, 0.0, 0.0, 1.0)

    same = (doubled(net)(inputs).argmax(1) == doubled(other)(inputs).argmax(1)).numpy()
    assert np.array_equal(told, same)
    assert 0 < same.sum() < 60


def test_a_linear_network_is_decided_exactly():
    """One layer: its margins over a box are least at a corner, so that what is told is all there is."""
    torch.manual_seed(3)
    net = nn.Sequential(nn.Flatten(), nn.Linear(18, 3))
    other, radius = disturbed(net, 0.2, torch.Generator().manual_seed(5)), 0.1
    weight, bias = other[1].weight.detach().double().numpy(), other[1].bias.detach().double().numpy()
    rows = ROWS.reshape(60, -1)
    centre = (np.clip(rows + radius, 0, 1) + np.clip(rows - radius, 0, 1)) / 2
    half = (np.clip(rows + radius, 0, 1) - np.clip(rows - radius, 0, 1)) / 2
    labels = doubled(net)(torch.from_numpy(ROWS)).argmax(1).numpy()
    least = np.full((60, 3), np.inf)
    for row, label in enumerate(labels):
        for rival in set(range(3)) - {label}:
            apart = weight[label] - weight[rival]
            least[row, rival] = apart @ centre[row] - np.abs(apart) @ half[row] + bias[label] - bias[rival]

    told = unchanged_rows(net, other, ROWS, radius, 0.0, 1.0)

    assert np.array_equal(told, (least > 0).all(1))
    assert 0 < told.sum() < 60


def test_limits_may_differ_by_channel():
    """A radius of 0 in one channel and a domain of one point in the other leave the row itself."""
    net = dense()
    rows = ROWS.copy()
    rows[:, 1] = 0.5

    told = unchanged_rows(net, net, rows, [0.0, 1.0], [0.0, 0.5], [1.0, 0.5])

    assert told.all()


def test_a_tie_is_never_told():
    """Two equal logits: the label is a matter of order, not of the network."""
    net = nn.Linear(2, 2)
    with torch.no_grad():
        net.weight.fill_(1.0)
        net.bias.zero_()

    sure = copy.deepcopy(net)
    with torch.no_grad():
        sure.bias[0] = 1.0

    assert not unchanged_rows(net, net, np.ones((1, 2)), 0.0, 0.0, 1.0).any()
    assert not unchanged_rows(net, sure, np.ones((1, 2)), 0.0, 0.0, 1.0).any()
    assert unchanged_rows(sure, sure, np.ones((1, 2)), 0.0, 0.0, 1.0).all()


@pytest.mark.parametrize(
    ("radius", "low", "high"), [(-0.1, 0.0, 1.0), (0.1, 0.5, 1.0), (0.1, 0.0, 0.5), ([0.1, 0.1, 0.1], 0.0, 1.0)]
)
def test_limits_that_do_not_fit_are_refused(radius, low, high):
    with pytest.raises(ValueError, match=r"rows lie between|one for each channel"):
        unchanged_rows(dense(), dense(), ROWS, radius, low, high)


def added(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
    more, y = m.b(x), m.a(x)
    y += more
    return y


def rectified(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
    more, y = m.b(x), m.a(x)
    return torch.relu_(y.add_(more))


def dropped(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
    more, y = m.b(x), m.a(x)
    return m.drop(m.drop(y).add_(more))


WRITTEN = {"sum": added, "activation": rectified, "dropout": dropped}


@pytest.mark.parametrize("kind", WRITTEN)
@pytest.mark.parametrize("radius", [0.0, 0.1])
def test_what_is_written_over_the_logits_counts(kind, radius):
    """The last linear layer is the same in both networks; what is added in place turns every label to class 1."""
    torch.manual_seed(0)
    net = Told(WRITTEN[kind], a=nn.Linear(18, 4), b=nn.Linear(18, 4), drop=nn.Dropout(inplace=True)).eval()
    other = copy.deepcopy(net)
    with torch.no_grad():
        net.a.bias[0] = net.b.bias[0] = other.a.bias[0] = 9.0
        other.b.bias[1] = 100.0
    rows = ROWS.reshape(60, -1)
    labels = [doubled(one)(torch.from_numpy(rows)).argmax(1) for one in (net, other)]
    assert labels[0].eq(0).all()
    assert labels[1].eq(1).all()

    assert not unchanged_rows(net, other, rows, radius, 0.0, 1.0).any()
    assert unchanged_rows(net, net, rows, 0.0, 0.0, 1.0).all()


def test_dropout_behind_the_last_layer_costs_nothing():
    """In eval mode it is the layer's own answer, and the margins are those of the layer."""
    net = dense()
    other = disturbed(net, 0.05, torch.Generator().manual_seed(1))
    behind = [nn.Sequential(*one, nn.Dropout()) for one in (net, other)]

    assert np.array_equal(
        unchanged_rows(*behind, ROWS, 0.01, 0.0, 1.0), unchanged_rows(net, other, ROWS, 0.01, 0.0, 1.0)
    )


def test_a_network_of_one_logit_always_gives_its_class():
    net = Told(lambda m, x: m.a(x), a=nn.Linear(3, 1))

    assert unchanged_rows(net, net, np.zeros((2, 3)), 0.1, -1.0, 1.0).all()
