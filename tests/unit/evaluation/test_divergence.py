"""The mean divergence between two opinions, against scipy."""

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import rel_entr, softmax

from sentei.evaluation.divergence import mean_divergence

LOGITS = st.tuples(st.integers(1, 6), st.integers(2, 5)).flatmap(
    lambda shape: st.tuples(*[arrays(np.float32, shape, elements=st.floats(-30, 30, width=32))] * 2)
)


@given(LOGITS)
def test_it_is_the_mean_over_rows_of_the_relative_entropy_of_the_reference(pair):
    told, reference = (softmax(one.astype(float), axis=1) for one in pair)
    assert mean_divergence(*pair) == pytest.approx(rel_entr(reference, told).sum(axis=1).mean(), rel=1e-6, abs=1e-12)


@given(LOGITS, st.floats(-5, 5, width=32))
def test_it_is_nothing_for_the_same_opinion_and_never_less(pair, shift):
    assert mean_divergence(pair[0], pair[0]) == 0.0
    assert mean_divergence(*pair) >= 0.0
    assert mean_divergence(pair[0] + np.float32(shift), pair[0]) == pytest.approx(0.0, abs=1e-5)


def test_it_counts_from_the_reference():
    sure, torn = np.array([[np.log(9), 0.0]], np.float32), np.zeros((1, 2), np.float32)
    assert mean_divergence(torn, sure) == pytest.approx(0.9 * np.log(1.8) + 0.1 * np.log(0.2))
    assert mean_divergence(sure, torn) == pytest.approx(0.5 * np.log(0.5 / 0.9) + 0.5 * np.log(0.5 / 0.1))


def test_each_pixel_of_a_mask_counts_as_a_row():
    told, wanted = np.random.default_rng(0).normal(size=(2, 3, 4, 5, 2)).astype(np.float32)
    flat = [one.transpose(0, 2, 3, 1).reshape(-1, 4) for one in (told, wanted)]
    assert mean_divergence(told, wanted) == pytest.approx(mean_divergence(*flat), rel=1e-12)


@pytest.mark.parametrize("broken", [np.nan, np.inf])
@pytest.mark.parametrize("place", [0, 1])
def test_nothing_is_worse_than_what_is_no_number(broken, place):
    pair = [np.zeros((3, 2), np.float32), np.zeros((3, 2), np.float32)]
    pair[place][1, 0] = broken
    assert mean_divergence(*pair) == sys.float_info.max
