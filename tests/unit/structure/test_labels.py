"""Labels: what may happen to the channels of an activation on its way."""

import pytest
import torch

from sentei.structure.labels import along, changing, compact, goes_on


def labels(text: str) -> torch.Tensor:
    return torch.tensor([int(digit) for digit in text])


@pytest.mark.parametrize(
    ("after", "why"),
    [
        ("1234", "nothing moves"),
        ("11223344", "an image is flattened"),
        ("12341234", "all channels are repeated"),
        ("1122334411223344", "both"),
        ("0123400", "fixed ones beside them"),
    ],
)
def test_movements_that_do_the_same_to_fewer_channels(after, why):
    assert goes_on(labels("1234"), labels(after)), why


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ("1234", "12", "a part of the channels is taken by its place"),
        ("1234", "1324", "channels are shuffled"),
        ("1234", "4123", "channels are rolled"),
        ("1234", "4321", "channels are flipped"),
        ("1234", "12343", "one channel comes twice"),
        ("1234", "", "nothing is left"),
        ("1234", "0000", "only fixed ones are left"),
        ("11112222", "112222", "a part of the first image is cut off"),
        ("111222", "112", "every other place: pixels 0 and 2 of the first channel, pixel 1 of the second"),
        ("0012", "12", "x[:, -2:] would find another channel once one has left"),
        ("1200", "12", "x[:, :2] would find a fixed channel once one has left"),
        ("0", "1", "a channel from nowhere"),
    ],
)
def test_movements_that_would_do_something_else_to_fewer_channels(before, after, why):
    assert not goes_on(labels(before), labels(after)), why


def test_every_other_place_of_even_runs_is_the_same_for_fewer():
    assert goes_on(labels("11112222"), labels("1122"))
    assert not goes_on(labels("11112222"), labels("1222"))


def test_fixed_places_stay_in_proportion():
    assert goes_on(labels("0012"), labels("00001122"))
    assert not goes_on(labels("0012"), labels("01122"))


def test_compact_labels_have_size_1_where_nothing_changes():
    full = torch.arange(3).reshape(1, 3, 1, 1).expand(2, 3, 4, 5)

    small = compact(full)

    assert small.shape == (1, 3, 1, 1)
    assert compact(full.contiguous()).shape == (1, 3, 1, 1)
    assert changing(small) == [1]


def test_along_refuses_labels_that_change_elsewhere():
    small = torch.arange(1, 4).reshape(1, 3, 1)

    assert along(small, 1, 3).tolist() == [1, 2, 3]
    assert along(small, -2, 3).tolist() == [1, 2, 3]
    assert along(small, 2, 5) is None
    assert along(torch.full((1, 1, 1), 7), 2, 5).tolist() == [7] * 5
