"""Channels and heads leave as asked, and no group vanishes."""

import numpy as np
import pytest
import torch

from sentei.errors import ModelError
from sentei.sparsity import keep_units
from tests.structures import branches, chain, residual

SCORES = {"fc0": torch.tensor([1.0, 2.0, 3.0, 4.0]), "fc1": torch.tensor([10.0, 20.0, 30.0, 40.0])}
TWINS = chain([3, 4, 4, 2])


def kept(masks: dict[str, np.ndarray]) -> dict[str, list[int]]:
    return {name: mask.astype(int).tolist() for name, mask in masks.items()}


def test_uniform_takes_the_same_share_of_each_group():
    assert kept(keep_units(TWINS, SCORES, 0.5, "uniform")) == {"fc0": [0, 0, 1, 1], "fc1": [0, 0, 1, 1]}


def test_global_compares_scores_of_any_scale():
    """Divided by their means the two groups tie, and the first gives the odd unit."""
    assert kept(keep_units(TWINS, SCORES, 3 / 8, "global")) == {"fc0": [0, 0, 1, 1], "fc1": [0, 1, 1, 1]}


def test_isomorphic_compares_equal_groups_as_they_are():
    """Two branches are alike, the third is larger: it gives its own half."""
    scores = {"b0": torch.tensor([1.0, 2.0]), "b1": torch.tensor([3.0, 4.0]), "b2": torch.tensor([1.0, 1.0, 5.0, 9.0])}

    assert kept(keep_units(branches([2, 2, 4], [1, 1, 1]), scores, 0.5, "isomorphic")) == {
        "b0": [0, 1],
        "b1": [0, 1],
        "b2": [0, 0, 1, 1],
    }


def test_the_next_lowest_leave_in_place_of_the_last_of_a_group():
    scores = {"fc0": torch.tensor([0.0, 0.0, 0.0, 0.0]), "fc1": torch.tensor([1.0, 1.0, 1.0, 1.0])}

    assert kept(keep_units(TWINS, scores, 0.5)) == {"fc0": [0, 0, 0, 1], "fc1": [0, 1, 1, 1]}


@pytest.mark.parametrize("allocation", ["global", "uniform", "isomorphic"])
def test_one_unit_of_each_group_stays(allocation):
    assert kept(keep_units(TWINS, SCORES, 1.0, allocation)) == {"fc0": [0, 0, 0, 1], "fc1": [0, 0, 0, 1]}


def test_equal_scores_leave_from_the_front():
    equal = {"fc0": torch.ones(4), "fc1": torch.ones(4)}

    assert kept(keep_units(TWINS, equal, 5 / 8)) == {"fc0": [0, 0, 0, 1], "fc1": [0, 0, 1, 1]}


def test_exceptions_do_not_count():
    assert kept(keep_units(TWINS, SCORES, 0.5, exceptions={"fc0": "keep"})) == {"fc0": [1] * 4, "fc1": [0, 0, 1, 1]}
    assert kept(keep_units(TWINS, SCORES, 0.0, exceptions={"fc?": 0.75})) == {"fc0": [0, 0, 0, 1], "fc1": [0, 0, 0, 1]}
    with pytest.raises(ValueError, match=r"'conv1'.*fc"):
        keep_units(TWINS, SCORES, 0.5, exceptions={"conv1": "keep"})


@pytest.mark.parametrize(
    ("share", "n_kept"), [(0.0, 20), (0.05, 20), (0.1, 20), (0.15, 16), (0.4, 16), (0.45, 8), (1.0, 8)]
)
def test_rounding_keeps_a_multiple_or_all(share, n_kept):
    """Of 20 units 8, 16 or all may stay; 12 is halfway and goes up."""
    masks = keep_units(chain([2, 20, 2]), {"fc0": torch.arange(20.0)}, share, round_to=8)

    assert masks["fc0"].sum() == n_kept
    assert masks["fc0"][20 - n_kept :].all()


def test_rounding_counts_places_and_spares_small_groups():
    """Heads of width 2: four places are two heads. The six channels of the stream are fewer than eight."""
    scores = {"stem": torch.arange(6.0), "in": torch.arange(8.0), "qkv": torch.arange(4.0)}

    assert {n: int(m.sum()) for n, m in keep_units(residual(), scores, 0.7, "uniform", round_to=4).items()} == {
        "stem": 4,
        "in": 4,
        "qkv": 2,
    }
    assert {n: int(m.sum()) for n, m in keep_units(residual(), scores, 0.9, "uniform", round_to=8).items()} == {
        "stem": 6,
        "in": 8,
        "qkv": 4,
    }


def test_infinite_and_negative_scores_have_their_place():
    scores = {"fc0": torch.tensor([float("inf"), -1.0, 2.0, 3.0]), "fc1": torch.full((4,), float("inf"))}

    assert kept(keep_units(TWINS, scores, 0.25)) == {"fc0": [1, 0, 0, 1], "fc1": [1, 1, 1, 1]}


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="share"):
        keep_units(TWINS, SCORES, 1.1)
    with pytest.raises(ValueError, match="layered"):
        keep_units(TWINS, SCORES, 0.5, "layered")
    with pytest.raises(ValueError, match="round_to"):
        keep_units(TWINS, SCORES, 0.5, round_to=0)
    with pytest.raises(ValueError, match=r"'fc1'.*\(4,\).*none"):
        keep_units(TWINS, {"fc0": SCORES["fc0"]}, 0.5)
    with pytest.raises(ValueError, match=r"'fc1'.*\(3,\)"):
        keep_units(TWINS, SCORES | {"fc1": torch.ones(3)}, 0.5)
    with pytest.raises(ModelError, match="'fc1'"):
        keep_units(TWINS, SCORES | {"fc1": torch.full((4,), float("nan"))}, 0.5)
