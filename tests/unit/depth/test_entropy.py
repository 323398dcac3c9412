"""The entropy of activations, against hand counts and scipy, and a penalty that goes the same way."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy
from torch import nn

from sentei.depth import EntropyPenalty, entropies, find_activations
from sentei.errors import ModelError
from tests.unit.depth.networks import Functions, Tokens, known


def line(weights: list[float], biases: list[float]) -> nn.Module:
    """One input, and a neuron for each weight."""
    network = nn.Sequential(nn.Linear(1, len(weights)), nn.ReLU())
    network[0].weight.data = torch.tensor(weights)[:, None]
    network[0].bias.data = torch.tensor(biases)
    return network


def test_always_on_is_no_bit_and_a_fair_coin_is_one():
    rows = [torch.tensor([[-1.0], [1.0], [-2.0], [2.0]])]

    def of(weights, biases):
        network = line(weights, biases)
        return entropies(network, find_activations(network, (1,)), rows)["1"]

    assert of([0.0], [1.0]) == 0
    assert of([0.0], [-1.0]) == 0
    assert of([1.0], [0.0]) == 1
    assert of([1.0, 0.0], [0.0, 1.0]) == 0.5
    assert of([0.0], [0.0]) == 0  # exactly zero is on
    assert of([1.0], [-1.5]) == pytest.approx(entropy([0.25, 0.75], base=2))


@pytest.mark.parametrize("make", [Functions, Tokens], ids=["rows", "tokens"])
def test_entropies_are_those_of_shares_counted_by_hand(make):
    """The last dimension holds neurons, all others are samples; scipy computes the entropy."""
    network, shape = (Functions(), (4,)) if make is Functions else (Tokens(), (5, 4))
    rows = torch.randn(40, *shape)
    first = network.fc1(rows) if make is Functions else network.fc1(network.norm(rows))
    share = (first.detach() >= 0).flatten(0, -2).double().mean(0).numpy()

    found = entropies(network, find_activations(network, shape), [rows])

    expected = np.mean([entropy([p, 1 - p], base=2) for p in share])
    assert next(iter(found.values())) == pytest.approx(expected, abs=1e-12)


def test_channels_are_neurons_and_positions_are_samples():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 2))
    rows = torch.randn(6, 3, 6, 6)
    share = (network[0](rows) >= 0).double().mean((0, 2, 3)).numpy()

    found = entropies(network, find_activations(network, (3, 6, 6)), [rows])

    assert found["1"] == pytest.approx(np.mean([entropy([p, 1 - p], base=2) for p in share]), abs=1e-12)


@settings(max_examples=4)  # each of them asks a ResNet-20 row by row
@given(st.lists(st.integers(1, 9), min_size=1, max_size=8))
def test_entropies_do_not_depend_on_the_sizes_of_batches(sizes):
    """Bit for bit, although the network has BatchNorm and is in training mode."""
    network = known("resnet-20", (3, 8, 8)).train()
    activations = find_activations(network, (3, 8, 8))
    rows = torch.randn(sum(sizes), 3, 8, 8, generator=torch.Generator().manual_seed(0))
    single = entropies(network, activations, rows.split(1))

    assert entropies(network, activations, rows.split(sizes)) == single
    assert network.training


def test_no_row_is_no_entropy():
    network = line([1.0], [0.0])

    with pytest.raises(ModelError, match="no row came to '1'"):
        entropies(network, find_activations(network, (1,)), [])


def test_activations_of_another_network_are_refused():
    with pytest.raises(ModelError, match="take the names from find_activations on this network"):
        entropies(line([1.0], [0.0]), find_activations(Functions(), (4,)), [torch.zeros(1, 1)])


def test_the_penalty_nears_the_entropy_as_its_temperature_falls():
    network, rows = Functions(), torch.randn(200, 4)
    activations = find_activations(network, (4,))
    expected = np.mean(list(entropies(network, activations, [rows]).values()))
    with EntropyPenalty(network, activations, strength=2.0, temperature=1e-5) as penalty:
        network(rows)
        assert penalty().item() == pytest.approx(2 * expected, abs=1e-2)


def test_training_with_the_penalty_lowers_the_entropy():
    network, rows = Functions(), torch.randn(100, 4)
    activations = find_activations(network, (4,))
    before = np.mean(list(entropies(network, activations, [rows]).values()))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    with EntropyPenalty(network, activations, strength=1.0) as penalty:
        for _ in range(60):
            optimizer.zero_grad()
            network(rows)
            penalty().backward()
            optimizer.step()

    assert np.mean(list(entropies(network, activations, [rows]).values())) < 0.8 * before


def test_the_penalty_listens_in_training_mode_while_entered():
    network = line([1.0], [0.0])
    with EntropyPenalty(network, find_activations(network, (1,)), strength=1.0) as penalty:
        network.eval()(torch.ones(2, 1))
        with pytest.raises(ValueError, match="0 of 1 activations saw a batch"):
            penalty()
        network.train()(torch.ones(2, 1))
        assert penalty().item() >= 0
        with pytest.raises(ValueError, match="0 of 1 activations saw a batch"):
            penalty()
    assert not any(module._forward_pre_hooks for module in network.modules())


@pytest.mark.parametrize(("strength", "temperature"), [(-1.0, 1.0), (1.0, 0.0), (float("nan"), 1.0)])
def test_numbers_out_of_range_are_refused(strength, temperature):
    network = line([1.0], [0.0])

    with pytest.raises(ValueError, match="expected activations, a strength of 0 or more and a temperature above 0"):
        EntropyPenalty(network, find_activations(network, (1,)), strength, temperature)
