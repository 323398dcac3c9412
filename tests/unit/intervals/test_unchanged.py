"""Rows whose label cannot change: none of them ever does, and what is told is worth having."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from sentei.intervals import Box, beyond, difference, unchanged_rows
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


def test_margins_beyond_the_difference_over_the_whole_domain_stay():
    """One difference for all rows; on its rows the label of the other network is the same."""
    net = dense()
    other = copy.deepcopy(net)
    with torch.no_grad():
        other[1].weight[3] += 0.02
    delta = difference(net, other, Box.of(torch.zeros(1, 2, 3, 3), torch.ones(1, 2, 3, 3))).delta
    inputs = torch.from_numpy(ROWS)
    logits = doubled(net)(inputs).detach().numpy()

    told = beyond(logits, delta)

    assert np.array_equal(doubled(other)(inputs).argmax(1).numpy()[told], logits.argmax(1)[told])
    assert told.sum() > 5


def test_a_network_of_one_logit_always_gives_its_class():
    net = Told(lambda m, x: m.a(x), a=nn.Linear(3, 1))

    assert unchanged_rows(net, net, np.zeros((2, 3)), 0.1, -1.0, 1.0).all()
