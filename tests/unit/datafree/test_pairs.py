"""Pairs of hidden units: which can be merged, how near they are, and what a merge does."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from sentei.datafree.pairs import distances, hidden, merge, nearest, saliency
from sentei.structure import trace
from tests.property.random_networks import Told


def seeded(make, seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return make().eval()


def doubled_units(m, x):
    h = m.a(x)
    return m.b(torch.cat([F.relu(h), h], 1))


MERGEABLE = {
    "relu": lambda: nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3)),
    "without bias": lambda: nn.Sequential(nn.Linear(4, 6, bias=False), nn.Tanh(), nn.Dropout(), nn.Linear(6, 3)),
    "two readers": lambda: Told(
        lambda m, x: m.b(m.a(x).relu()) + m.c(F.gelu(m.a(x))), a=nn.Linear(4, 6), b=nn.Linear(6, 3), c=nn.Linear(6, 3)
    ),
    "read twice by one layer": lambda: Told(doubled_units, a=nn.Linear(4, 6), b=nn.Linear(12, 3)),
    "beside other units": lambda: Told(
        lambda m, x: m.b(torch.cat([x, m.a(x).relu()], 1)), a=nn.Linear(4, 6), b=nn.Linear(10, 3)
    ),
}
NOT_MERGEABLE = {
    "normalised": lambda: nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 3)),
    "slopes of their own": lambda: nn.Sequential(nn.Linear(4, 6), nn.PReLU(6), nn.Linear(6, 3)),
    "made by two layers": lambda: Told(
        lambda m, x: m.c(F.relu(m.a(x) + m.b(x))), a=nn.Linear(4, 6), b=nn.Linear(4, 6), c=nn.Linear(6, 3)
    ),
    "two places each": lambda: Told(
        lambda m, x: m.b(torch.mul(*m.a(x).chunk(2, 1))), a=nn.Linear(4, 12), b=nn.Linear(6, 3)
    ),
}


def group_of(net, shape=(4,)):
    structure = trace(net, shape)
    return structure, structure.groups[0]


@pytest.mark.parametrize("kind", MERGEABLE)
def test_units_of_one_linear_layer_can_be_merged(kind):
    """Their weights and biases beside one another, and the norms of all that reads them."""
    net = seeded(MERGEABLE[kind])
    structure, group = group_of(net)

    units = hidden(net, structure, group)

    first = next(module for module in net.modules() if isinstance(module, nn.Linear))
    bias = [] if first.bias is None else [first.bias[:, None]]
    assert units is not None
    assert torch.equal(units.incoming, torch.cat([first.weight, *bias], 1).double())
    if kind == "two readers":
        readers = torch.cat([net.b.weight, net.c.weight]).double()
        assert torch.allclose(units.outgoing, readers.norm(dim=0))
    if kind == "read twice by one layer":
        assert torch.allclose(
            units.outgoing, torch.cat([net.b.weight[:, :6], net.b.weight[:, 6:]]).double().norm(dim=0)
        )


@pytest.mark.parametrize("kind", NOT_MERGEABLE)
def test_units_that_something_tells_apart_cannot(kind):
    net = seeded(NOT_MERGEABLE[kind])

    assert hidden(net, *group_of(net)) is None


def test_channels_of_a_convolution_cannot():
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 1))

    assert hidden(net, *group_of(net, (1, 5, 5))) is None


@pytest.mark.parametrize("kind", MERGEABLE)
def test_a_merge_is_the_network_in_which_one_unit_answers_for_the_other(kind):
    """Copied rows on one side, added columns on the other."""
    net = seeded(MERGEABLE[kind])
    _, group = group_of(net)
    pairs = np.array([[0, 1], [0, 4], [2, 5]])
    copied, merged = copy.deepcopy(net), copy.deepcopy(net)
    layer = next(module for module in copied.modules() if isinstance(module, nn.Linear))
    for kept, gone in pairs:
        for parameter in layer.parameters():
            parameter.data[gone] = parameter.data[kept]

    merge(merged, group, pairs)

    x = torch.randn(20, 4, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(merged(x), copied(x), atol=1e-6)
    assert not torch.allclose(merged(x), net(x), atol=1e-3)


def test_saliency_by_brute_force():
    """Every ordered pair: the distance of weights and biases, times the norm of what reads the unit that leaves."""
    net = seeded(MERGEABLE["relu"])
    incoming = torch.cat([net[0].weight, net[0].bias[:, None]], 1).double().detach().numpy()
    outgoing = net[2].weight.double().detach().numpy()

    found = saliency(hidden(net, *group_of(net)))

    for i in range(6):
        for j in range(6):
            expected = np.inf if i == j else np.linalg.norm(incoming[i] - incoming[j]) * np.linalg.norm(outgoing[:, j])
            assert found[i, j].item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_the_nearest_pairs_can_be_merged_together_and_none_is_skipped(seed):
    """The first is the least of all; every pair that is passed over meets one that was taken before it."""
    n_units = 9
    apart = torch.rand(n_units, n_units, generator=torch.Generator().manual_seed(seed)).double()
    apart.fill_diagonal_(torch.inf)

    for n in range(1, n_units):
        pairs = [tuple(pair) for pair in nearest(apart, n).tolist()]

        stays, leaves = [kept for kept, _ in pairs], [gone for _, gone in pairs]
        assert apart[pairs[0]] == apart.min()
        assert len(set(leaves)) == len(leaves)
        assert not set(stays) & set(leaves)
        assert len(pairs) == n or set(stays) | set(leaves) == set(range(n_units))
        last = apart[pairs[-1]]
        for kept in range(n_units):
            for gone in range(n_units):
                if apart[kept, gone] < last and (kept, gone) not in pairs:
                    before = [pair for pair in pairs if apart[pair] < apart[kept, gone]]
                    assert any(kept == g or gone in (k, g) for k, g in before)


@pytest.mark.parametrize("closeness", [1.0, 1e-3, 1e-9, 0.0])
def test_distances_are_exact_however_near_the_rows_are(closeness):
    """Against differences taken one by one."""
    generator = torch.Generator().manual_seed(0)
    rows = torch.ones(40, 1).double() * torch.randn(30, generator=generator).double()
    rows += closeness * torch.randn(40, 30, generator=generator).double()

    found = distances(rows)

    expected = (rows[:, None] - rows).norm(dim=2)
    assert torch.allclose(found, expected, rtol=1e-12, atol=0)
    assert bool((found == found.T).all())


def test_infinite_saliencies_are_no_pairs():
    apart = torch.full((4, 4), torch.inf).double()
    apart[2, 1] = 0.5

    assert nearest(apart, 3).tolist() == [[2, 1]]
    assert nearest(torch.full((2, 2), torch.inf), 1).shape == (0, 2)
