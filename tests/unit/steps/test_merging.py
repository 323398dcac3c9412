"""Linear layers are merged where the served network is surely quicker, and nowhere else."""

import pytest
import torch
from torch import nn

from sentei import depth
from sentei.errors import ModelError
from sentei.evaluation.latency import Comparison
from sentei.steps import merging
from sentei.steps.merging import merge_where_it_pays

DATA = {
    "input": {"shape": [3, 8, 8], "dtype": "uint8"},
    "preprocessing": {"scale": "0.00392157", "mean": ["0.5", "0.5", "0.5"], "std": ["0.25", "0.25", "0.25"]},
}


def network() -> nn.Sequential:
    """Two convolutions with nothing between them, a rectifier, a convolution with BatchNorm, two linear layers."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Conv2d(4, 5, 1), nn.ReLU(),
        nn.Conv2d(5, 4, 3), nn.BatchNorm2d(4), nn.ReLU(),
        nn.Flatten(), nn.Linear(144, 20), nn.Linear(20, 6),
    )  # fmt: skip
    with torch.no_grad():
        for _ in range(3):
            net(torch.randn(16, 3, 8, 8))  # statistics that are not those of a new network
    return net.eval()


def kinds(net: nn.Module) -> list[str]:
    return [type(module).__name__ for module in net if not isinstance(module, nn.Identity)]


@pytest.mark.parametrize(
    ("high", "n_layers", "left"),
    [
        (0.9, 2, ["Conv2d", "ReLU", "Conv2d", "ReLU", "Flatten", "Linear"]),
        (1.0, 0, ["Conv2d", "Conv2d", "ReLU", "Conv2d", "ReLU", "Flatten", "Linear", "Linear"]),
    ],
    ids=["surely quicker", "perhaps not quicker"],
)
def test_merges_follow_the_clock_and_batchnorm_is_folded_anyway(monkeypatch, high, n_layers, left):
    monkeypatch.setattr(merging, "compare_latency", lambda *_: Comparison(1.0, 0.8, 0.7, high, 100))
    net, rows = network(), torch.randn(4, 3, 8, 8)
    with torch.no_grad():
        expected = net(rows)
        done = merge_where_it_pays(net, DATA)
        assert torch.allclose(net(rows), expected, atol=1e-5)
    assert (done.n_layers, kinds(net)) == (n_layers, left)


def test_the_step_makes_the_same_shapes_of_a_fresh_network(monkeypatch):
    monkeypatch.setattr(merging, "compare_latency", lambda *_: Comparison(1.0, 0.8, 0.7, 0.9, 100))
    net = network()
    step = merge_where_it_pays(net, DATA).step
    fresh = network()
    step.apply(fresh)
    fresh.load_state_dict(net.state_dict())
    rows = torch.randn(4, 3, 8, 8)
    with torch.no_grad():
        assert torch.equal(fresh(rows), net(rows))


def test_a_network_without_linear_neighbours_stays_as_it_is():
    net = nn.Sequential(nn.Flatten(), nn.Linear(192, 4), nn.ReLU(), nn.Linear(4, 3)).eval()
    done = merge_where_it_pays(net, DATA)
    assert (done.step, done.n_layers, kinds(net)) == (None, 0, ["Flatten", "Linear", "ReLU", "Linear"])


def test_a_merge_that_is_refused_is_left_out_and_the_others_are_made(monkeypatch):
    monkeypatch.setattr(merging, "compare_latency", lambda *_: Comparison(1.0, 0.8, 0.7, 0.9, 100))

    def merge(model, merges):
        if any(one.name == "8 + 9" for one in merges):
            raise ModelError("8 + 9 as one layer differs")
        return depth.merge(model, merges)

    monkeypatch.setattr(merging, "merge", merge)
    net, rows = network(), torch.randn(4, 3, 8, 8)
    with torch.no_grad():
        expected = net(rows)
        assert merge_where_it_pays(net, DATA).n_layers == 1
        assert torch.allclose(net(rows), expected, atol=1e-5)
    assert kinds(net) == ["Conv2d", "ReLU", "Conv2d", "ReLU", "Flatten", "Linear", "Linear"]
