"""Laws of bounds, on networks drawn at random: no input in a box leads out of the bounds of its answers."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from sentei.intervals import Box, bounds, difference
from tests.property.random_networks import SHAPE, STAGES, network
from tests.unit.intervals.samples import SLACK, around, contains, disturbed, doubled, drawn
from tests.unit.surgery.agreement import randomise

WITHOUT_RULES = {"instance norm", "group norm", "layer norm over channels", "interpolation", "pixel unshuffle"}
stages = st.sampled_from(sorted(set(STAGES) - WITHOUT_RULES))
heads = st.sampled_from(["mean", "flattened", "pixels"])
seeds = st.integers(0, 2**16)


def check(model: nn.Module, seed: int, radius: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    other = disturbed(randomise(model, seed), 0.1, generator)
    box = around(torch.randn(2, *SHAPE, generator=generator), radius)

    found, alone = difference(model, other, box), bounds(model, box)

    ours, theirs = doubled(model), doubled(other)
    with torch.no_grad():
        for x in drawn(box, 12, generator):
            first, second = ours(x), theirs(x)

            assert contains(alone, first)
            assert contains(found.first, first)
            assert contains(found.second, second)
            assert contains(found.delta, second - first)
    assert bool((found.first.width <= alone.width + SLACK).all())


@settings(max_examples=40, deadline=None)
@given(st.lists(stages, min_size=1, max_size=4), heads, seeds, st.sampled_from([0.0, 0.01, 0.3]))
def test_answers_and_their_difference_lie_within_the_bounds(names, head, seed, radius):
    """Of two networks, at the corners of the box and inside."""
    check(network(names, head, seed), seed, radius)


@pytest.mark.parametrize("stage", sorted(set(STAGES) - WITHOUT_RULES))
def test_each_stage_alone(stage):
    check(network([stage], "flattened", seed=0), seed=1, radius=0.1)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(1, 7), min_size=2, max_size=5),
    st.sampled_from([nn.ReLU, nn.ReLU6, nn.Tanh, nn.Sigmoid, nn.GELU, nn.SiLU, nn.Hardswish, nn.Hardsigmoid, nn.ELU]),
    seeds,
    st.floats(0, 4),
)
def test_a_smaller_box_never_has_wider_bounds(sizes, activation, seed, radius):
    """Bounds on half of the radius lie within those on all of it."""
    generator = torch.Generator().manual_seed(seed)
    layers = [[nn.Linear(n_in, n_out), activation()] for n_in, n_out in pairwise(sizes)]
    model = randomise(nn.Sequential(*[module for pair in layers for module in pair]), seed)
    rows = torch.randn(3, sizes[0], generator=generator)

    wide, narrow = bounds(model, around(rows, radius)), bounds(model, around(rows, radius / 2))

    assert bool((wide.low <= narrow.low + SLACK).all())
    assert bool((wide.high >= narrow.high - SLACK).all())


@settings(max_examples=40, deadline=None)
@given(st.lists(stages, min_size=1, max_size=3), heads, seeds)
def test_a_point_has_the_answer_itself_and_equal_networks_no_difference(names, head, seed):
    """Up to rounding, relative to the largest number."""
    model = randomise(network(names, head, seed), seed)
    rows = torch.randn(2, *SHAPE, generator=torch.Generator().manual_seed(seed)).double()

    point = bounds(model, Box.of(rows, rows))
    same = difference(model, model, around(rows, 0.5)).delta

    with torch.no_grad():
        answer = doubled(model)(rows)
    scale = 1 + float(answer.abs().max())
    assert float((point.low - answer).abs().max()) <= 1e-9 * scale
    assert float((point.high - answer).abs().max()) <= 1e-9 * scale
    assert float(same.magnitude.max()) <= 1e-200
