"""Slopes between an activation and the identity, drawn to the identity."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from sentei.depth import Folding, FoldingActivation, find_activations, linearise
from sentei.errors import ModelError
from tests.unit.depth.networks import Functions, known


@pytest.mark.parametrize("slope", [0.0, 0.3, 1.0])
def test_a_folding_relu_is_a_prelu(slope):
    x = torch.randn(5, 4)
    folding = FoldingActivation(nn.ReLU(inplace=True), x)
    folding.slope.data.fill_(slope)

    assert torch.allclose(folding(x.clone()), F.prelu(x, torch.tensor([slope])))


def test_slopes_beyond_the_ends_count_as_the_ends():
    x = torch.randn(5, 4)
    folding = FoldingActivation(nn.GELU(), x)

    for beyond, end in ((-0.5, F.gelu(x)), (1.5, x)):
        folding.slope.data.fill_(beyond)
        assert torch.equal(folding(x), end)


@pytest.mark.parametrize("make", [Functions, lambda: known("resnet-20", (3, 8, 8))], ids=["functions", "resnet"])
def test_a_network_enters_and_leaves_as_it_was_and_can_be_straight(make):
    network, shape = make(), (4,) if make is Functions else (3, 8, 8)
    names = [one.name for one in find_activations(network, shape)]
    rows, keys = torch.randn(3, *shape), list(network.state_dict())
    before = network(rows)

    with Folding(network, names, strength=1.0) as folding:
        assert torch.equal(network(rows), before)
        assert len(network.state_dict()) == len(keys) + len(names)
        for module in network.modules():
            if isinstance(module, FoldingActivation):
                module.slope.data.fill_(1)
        straight = network(rows)
        assert folding().item() == 0
    assert torch.equal(network(rows), before)
    assert list(network.state_dict()) == keys
    linearise(network, list(folding.slopes()))
    assert torch.allclose(network(rows), straight, atol=1e-5)


def test_the_penalty_draws_slopes_up_and_the_loss_holds_those_that_matter():
    """The second ReLU cannot go: |x| is no linear function. The first one bends what is never negative."""
    network = nn.Sequential(nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))
    x = torch.linspace(-1, 1, 64)[:, None]
    weights = [[[1.0], [-1.0]], [[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0]]]
    for layer, weight, bias in zip(network[::2], weights, ([2.0, 2.0], [-2.0, -2.0], [0.0]), strict=True):
        layer.weight.data, layer.bias.data = torch.tensor(weight), torch.tensor(bias)
    with Folding(network, ["1", "3"], strength=0.01) as folding:
        slopes = [network[1].slope, network[3].slope]
        optimizer = torch.optim.SGD(slopes, lr=1.0)
        for _ in range(250):
            optimizer.zero_grad()
            (F.mse_loss(network(x), x.abs()) + folding()).backward()
            optimizer.step()

    assert folding.slopes()["1"] >= 0.9
    assert folding.slopes()["3"] < 0.1


def test_slopes_stay_and_the_penalty_is_their_mean_distance_from_1():
    network = nn.Sequential(*(nn.ReLU() for _ in range(4)))
    with Folding(network, ["0", "1", "2", "3"], strength=1.0) as folding:
        for name, slope in zip("0123", (0.5, 0.9, 0.2, 0.7), strict=True):
            network.get_submodule(name).slope.data.fill_(slope)

    assert folding.slopes() == pytest.approx({"0": 0.5, "1": 0.9, "2": 0.2, "3": 0.7})
    assert folding().item() == pytest.approx((0.5 + 0.1 + 0.8 + 0.3) / 4)


def test_wrong_requests_are_refused():
    network = nn.Sequential(nn.ReLU())

    with pytest.raises(ValueError, match="expected names and a strength of 0 or more"):
        Folding(network, [], 1.0)
    with pytest.raises(ValueError, match="expected names and a strength of 0 or more"):
        Folding(network, ["0"], -1.0)
    with pytest.raises(ModelError, match="has no activation '1'"):
        Folding(network, ["1"], 1.0)
