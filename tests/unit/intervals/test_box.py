"""Boxes: arithmetic that is rounded outwards, against exact fractions and brute force."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from sentei.intervals import Box
from sentei.intervals.rounding import once

numbers = st.floats(-1e6, 1e6, allow_nan=False)
ends = st.tuples(numbers, numbers).map(sorted)


@pytest.mark.parametrize(
    ("low", "high"), [([1.0], [0.0]), ([0.0], [0.0, 1.0]), ([float("nan")], [1.0]), ([0.0], [float("inf")])]
)
def test_a_box_that_is_none_is_refused(low, high):
    """Crossed bounds, other shapes, and what is no finite number."""
    with pytest.raises(ValueError, match="a box takes finite lower bounds"):
        Box.of(low, high)


def exact_range(weights: list[float], intervals: list[list[float]], bias: float) -> tuple[Fraction, Fraction]:
    """The least and the largest sum of products, without rounding."""
    low = high = Fraction(bias)
    for weight, (least, most) in zip(weights, intervals, strict=True):
        products = [Fraction(weight) * Fraction(least), Fraction(weight) * Fraction(most)]
        low, high = low + min(products), high + max(products)
    return low, high


@given(st.lists(st.tuples(numbers, ends), min_size=1, max_size=8), numbers)
def test_a_layer_is_rounded_outwards(terms, bias):
    """Against fractions, which do not round; and no further than rounding asks for."""
    weights, intervals = [weight for weight, _ in terms], [list(pair) for _, pair in terms]
    box = Box.of([[low for low, _ in intervals]], [[high for _, high in intervals]])

    made = box.affine(
        F.linear, torch.tensor([weights], dtype=torch.float64), torch.tensor([bias], dtype=torch.float64), len(weights)
    )

    low, high = exact_range(weights, intervals, bias)
    size = abs(bias) + sum(abs(w) * max(abs(a), abs(b)) for w, (a, b) in zip(weights, intervals, strict=True))
    assert Fraction(made.low.item()) <= low
    assert Fraction(made.high.item()) >= high
    assert float(low - Fraction(made.low.item())) <= 1e-14 * size + 1e-240
    assert float(Fraction(made.high.item()) - high) <= 1e-14 * size + 1e-240


def test_sums_that_cancel_are_bounded():
    """Points, so that all there is is rounding: the exact sum of 400 products that nearly cancel is in each bound."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(50, 200, generator=generator, dtype=torch.float64)
    weight = torch.randn(1, 200, generator=generator, dtype=torch.float64)
    x, weight = torch.cat([x, -x * (1 + 1e-12)], 1), torch.cat([weight, weight], 1)

    made = Box(x, x).affine(F.linear, weight, None, 400)

    for row, low, high in zip(x.tolist(), made.low.flatten().tolist(), made.high.flatten().tolist(), strict=True):
        exact = sum(Fraction(one) * Fraction(other) for one, other in zip(row, weight[0].tolist(), strict=True))
        assert Fraction(low) <= exact <= Fraction(high)


@given(ends, ends)
def test_sums_and_products_hold_those_of_their_ends(one, other):
    """Against fractions."""
    a, b = (Box.of([[low]], [[high]]) for low, high in (one, other))

    for x in map(Fraction, one):
        for y in map(Fraction, other):
            assert Fraction((a + b).low.item()) <= x + y <= Fraction((a + b).high.item())
            assert Fraction((a - b).low.item()) <= x - y <= Fraction((a - b).high.item())
            assert Fraction((a * b).low.item()) <= x * y <= Fraction((a * b).high.item())


@given(st.lists(ends, min_size=1, max_size=30))
def test_means_are_rounded_outwards(intervals):
    """Against fractions."""
    box = Box.of([[low for low, _ in intervals]], [[high for _, high in intervals]])

    made = box.averaged(lambda bound: bound.mean(1), len(intervals))

    for bound, exact in ((made.low, 0), (made.high, 1)):
        mean = sum(Fraction(pair[exact]) for pair in intervals) / len(intervals)
        assert Fraction(bound.item()) >= mean if exact else Fraction(bound.item()) <= mean


def test_rows_that_are_one_row_are_computed_once():
    """And are views of one row afterwards."""
    rows, seen = torch.rand(1, 3).expand(5, 3), []

    def compute(x: torch.Tensor) -> tuple[torch.Tensor]:
        seen.append(len(x))
        return (x + 1,)

    (made,) = once(compute, rows)

    assert seen == [1]
    assert made.shape == (5, 3)
    assert np.array_equal(made.numpy(), rows.numpy() + 1)
    assert once(compute, torch.rand(5, 3))[0].shape == (5, 3)
    assert seen == [1, 5]
