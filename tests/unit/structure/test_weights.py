"""Weights: layers used twice, tied, computed, read by something else; and what a module cannot know."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations
from torchvision.ops import FrozenBatchNorm2d

from sentei.structure import trace
from tests.unit.structure.passages import Passage, units


def member(group, tensor):
    return next(member for member in group.members if member.tensor == tensor)


def test_a_layer_used_twice_ties_what_it_reads():
    network = Passage(lambda m, a, b: torch.cat([m.twice(a), m.twice(b)], 1), 12, twice=nn.Conv2d(8, 6, 1))

    assert units(network) == {"a": 8, "twice": 6, "read": 4}
    uses = [use for use in trace(network, (3, 8, 8)).products if use.weight == "twice.weight"]
    assert [use.n_positions for use in uses] == [64, 64]


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("transposed", lambda m, a, b: F.conv2d(m.tied(a), m.tied.weight.transpose(0, 1))),
        ("penalised", lambda m, a, b: m.tied(a) * m.tied.weight.norm()),
        ("used as numbers", lambda m, a, b: m.tied(a) + m.tied.weight.sum((1, 2, 3)).reshape(1, 8, 1, 1)),
    ],
)
def test_a_weight_that_something_else_reads_stays(name, function):
    assert units(Passage(function, tied=nn.Conv2d(8, 8, 1))) == {"read": 4}


@pytest.mark.parametrize("wrap", [parametrizations.weight_norm, parametrizations.spectral_norm])
def test_computed_weights_stay(wrap):
    """What they read and what they make."""
    network = Passage(lambda m, a, b: m.made(a), made=wrap(nn.Conv2d(8, 8, 1)))

    assert units(network) == {"read": 4}


def test_both_sides_of_tied_embeddings_stay():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.words, self.hidden, self.back = nn.Embedding(10, 6), nn.Linear(6, 8), nn.Linear(8, 6)
            self.out = nn.Linear(6, 10, bias=False)
            self.out.weight = self.words.weight

        def forward(self, x):
            return self.out(self.back(torch.relu(self.hidden(self.words((x > 0).long())))))

    assert units(Tied(), (5,)) == {"hidden": 8}


def test_buffers_of_each_channel_leave_with_it():
    network = Passage(lambda m, a, b: m.frozen(a), frozen=FrozenBatchNorm2d(8))

    group = trace(network, (3, 8, 8)).group("a")

    assert {m.tensor for m in group.members if m.tensor.startswith("frozen")} == {
        f"frozen.{name}" for name in ("weight", "bias", "running_mean", "running_var")
    }
    assert member(group, "frozen.running_var").units.tolist() == list(range(8))


def test_numbers_for_each_place_stay():
    network = Passage(lambda m, a, b: a * m.places)
    network.register_buffer("places", torch.rand(8, 8, 8))

    assert units(network) == {"read": 4}


def test_integers_for_each_channel_stay():
    network = Passage(lambda m, a, b: a * m.signs)
    network.register_buffer("signs", torch.ones(8, 1, 1, dtype=torch.int64))

    assert units(network) == {"read": 4}


def test_group_norm_ties_what_it_normalises_together():
    network = Passage(lambda m, a, b: m.norm(a), norm=nn.GroupNorm(4, 8))

    group = trace(network, (3, 8, 8)).group("a")

    assert (group.n_units, group.width) == (4, 2)
    assert member(group, "a.weight").units.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


def test_group_norm_over_everything_keeps_channels():
    assert units(Passage(lambda m, a, b: m.norm(a), norm=nn.GroupNorm(1, 8))) == {"read": 4}


@pytest.mark.parametrize(("n_parameters", "has"), [(1, False), (8, True)])
def test_slopes(n_parameters, has):
    network = Passage(lambda m, a, b: m.slope(a), slope=nn.PReLU(n_parameters))

    group = trace(network, (3, 8, 8)).group("a")

    assert any(m.tensor == "slope.weight" for m in group.members) == has


def test_grouped_convolutions_lose_whole_groups():
    network = Passage(lambda m, a, b: m.grouped(a), 16, grouped=nn.Conv2d(8, 16, 3, padding=1, groups=4))

    group = trace(network, (3, 8, 8)).group("a")

    assert (group.n_units, group.width) == (4, 2)
    assert member(group, "grouped.weight").units.tolist() == [0] * 4 + [1] * 4 + [2] * 4 + [3] * 4
    assert member(group, "read.weight").units.tolist() == member(group, "grouped.weight").units.tolist()


def test_transposed_convolutions_read_rows_and_make_columns():
    network = Passage(lambda m, a, b: m.up(a), 6, up=nn.ConvTranspose2d(8, 6, 2, 2))

    structure = trace(network, (3, 8, 8))

    assert units(network) == {"a": 8, "up": 6, "read": 4}
    assert member(structure.group("a"), "up.weight").dim == 0
    assert member(structure.group("up"), "up.weight").dim == 1
    assert next(use.n_positions for use in structure.products if use.weight == "up.weight") == 64


def test_grouped_transposed_convolutions_keep_channels():
    network = Passage(lambda m, a, b: m.up(a), 8, up=nn.ConvTranspose2d(8, 8, 2, 2, groups=2))

    assert units(network) == {"read": 4}


def test_one_module_with_two_weights_has_groups_of_two_names():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Parameter(torch.rand(5, 4)), nn.Parameter(torch.rand(6, 5))
            self.last = nn.Linear(6, 2)

        def forward(self, x):
            return self.last(F.linear(F.linear(x, self.first).relu(), self.second).relu())

    class Holder(nn.Sequential):
        pass

    assert units(Two(), (4,)) == {"first": 5, "second": 6}
    assert units(Holder(Two()), (4,)) == {"0.first": 5, "0.second": 6}


def test_layers_over_many_images_of_one_row_count_them_all():
    """Three frames of a row, each an image."""

    class Frames(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.last = nn.Conv2d(1, 4, 3, padding=1), nn.Linear(4, 2)

        def forward(self, x):
            return self.last(self.one(x.reshape(-1, 1, 6, 6)).mean((2, 3)).reshape(-1, 3, 4).mean(1))

    structure = trace(Frames(), (3, 6, 6))

    assert [use.n_positions for use in structure.products] == [3 * 36, 1]
