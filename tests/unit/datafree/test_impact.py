"""How much a merge can do: the unit that is scored is the unit that leaves, and the score is what it says."""

import copy
from itertools import combinations, permutations

import numpy as np
import pytest
import torch
from scipy.special import expit
from scipy.stats import entropy
from torch import nn

from sentei.datafree.impact import impacts, ordered, overlap_entropy, scores
from sentei.datafree.pairs import merge
from sentei.intervals import Box, difference, replaced
from sentei.structure import trace
from tests.unit.intervals.samples import contains, doubled, drawn

DOMAIN = Box.of(torch.zeros(1, 4), torch.ones(1, 4))


def small() -> nn.Module:
    torch.manual_seed(2)
    return nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 3))


def merged(net: nn.Module, pair: tuple[int, int]) -> nn.Module:
    other = copy.deepcopy(net)
    merge(other, trace(net, (4,)).groups[0], np.array([pair]))
    return other


def test_what_a_merge_does_lies_within_its_bounds():
    """For every ordered pair, against the network after this very merge; the one the other way round breaks them."""
    net = small()
    pairs = np.array(list(permutations(range(5), 2)))
    found = replaced(net, DOMAIN, "0.weight", torch.from_numpy(pairs)).delta
    generator, broken = torch.Generator().manual_seed(0), 0

    for row, (kept, gone) in enumerate(pairs.tolist()):
        right, wrong = (doubled(merged(net, pair)) for pair in ((kept, gone), (gone, kept)))
        bounded = found.moved(lambda bound, row=row: bound[row])
        with torch.no_grad():
            samples = drawn(DOMAIN, 60, generator)
            assert all(contains(bounded, (right(x) - doubled(net)(x))[0]) for x in samples)
            broken += not all(contains(bounded, (wrong(x) - doubled(net)(x))[0]) for x in samples)

    assert broken > 10


def test_impacts_are_scores_of_one_pair_at_a_time():
    """Slower, through a network in which the rows are copied."""
    net = small()
    pairs = np.array([[0, 1], [1, 0], [3, 4]])

    found = impacts(net, "0.weight", pairs, DOMAIN, batch_size=2)

    for row, (kept, gone) in enumerate(pairs):
        other = copy.deepcopy(net)
        for parameter in other[0].parameters():
            parameter.data[gone] = parameter.data[kept]
        delta = difference(net, other, DOMAIN).delta
        assert found[row, 1].item() == pytest.approx(delta.width.sum().item(), rel=0.3)
        assert found[row, 0].item() == pytest.approx(scores(delta).item(), rel=0.1)


def overlaps(low: list[float], high: list[float]) -> list[float]:
    pairs = combinations(zip(low, high, strict=True), 2)
    return [max(0.0, min(one[1], other[1]) - max(one[0], other[0])) for one, other in pairs]


@pytest.mark.parametrize("seed", range(10))
def test_scores_by_their_formula(seed):
    """With scipy's entropy over all pairs of classes."""
    chance = np.random.default_rng(seed)
    low = chance.normal(size=5)
    high = low + chance.exponential(size=5)

    found = scores(Box.of(low[None], high[None])).item()

    spread = entropy(overlaps(low.tolist(), high.tolist()))
    assert found == pytest.approx(0.75 * expit((high - low).sum()) + 0.25 * expit(spread), rel=1e-12)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        ([0, 0, 0], [1, 1, 1], np.log(3)),
        ([0, 2, 4], [1, 3, 5], 0.0),
        ([0, 0, 4], [1, 1, 5], 0.0),
        ([0, 0, 0], [1e-12, 1e-12, 1e-12], 0.0),
        ([0], [1], 0.0),
    ],
)
def test_entropy_of_the_overlap(low, high, expected):
    """All alike, none, two classes only, what rounding leaves, and one class."""
    assert overlap_entropy(Box.of([low], [high])).item() == pytest.approx(expected, abs=1e-12)


def test_two_equal_units_have_the_least_score_of_all():
    """Exactly one half."""
    net = small()
    with torch.no_grad():
        net[0].weight[3], net[0].bias[3] = net[0].weight[1].clone(), net[0].bias[1].clone()
    pairs = np.array(list(permutations(range(5), 2)))

    found = impacts(net, "0.weight", pairs, DOMAIN)

    best = [tuple(pairs[place]) for place in ordered(found)[:2]]
    assert best == [(1, 3), (3, 1)]
    assert found[ordered(found)[0], 0].item() == pytest.approx(0.5, abs=1e-9)
    assert found[ordered(found)[2], 0].item() > 0.55


def test_equal_scores_are_told_apart_by_the_width_of_the_bounds():
    """Wide bounds, whose sigmoid is 1 in float64."""
    impact = torch.tensor([[1.0, 90.0], [1.0, 80.0], [0.9, 99.0], [1.0, 80.0]])

    assert ordered(impact) == [2, 1, 3, 0]
    assert ordered(impact[:, 1:]) == [1, 3, 0, 2]
