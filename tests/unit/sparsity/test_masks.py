"""Masks prune what they were asked to, and nothing vanishes in silence."""

import pytest
import torch
from torch import nn

from sentei.errors import ModelError
from sentei.sparsity import achieved_sparsity, allocate, apply_masks, n_pruned

SCORES = {"a": torch.tensor([[5.0, 1.0], [4.0, 1.0]]), "b": torch.tensor([1.0, 9.0, 8.0, 7.0])}


def test_ties_across_layers_go_by_layer_and_index():
    """Three scores of 1, two to prune: those of the first layer."""
    masks = allocate(SCORES, 0.25)

    assert masks["a"].tolist() == [[True, False], [True, False]]
    assert masks["b"].tolist() == [True] * 4


def test_uniform_takes_the_same_share_of_each_layer():
    masks = allocate(SCORES, 0.5, "uniform")

    assert masks["a"].tolist() == [[True, False], [True, False]]
    assert masks["b"].tolist() == [False, True, True, False]


@pytest.mark.parametrize("allocation", ["global", "uniform"])
def test_zero_prunes_nothing(allocation):
    assert n_pruned(allocate(SCORES, 0.0, allocation)) == 0


@pytest.mark.parametrize("sparsity", [-0.1, 1.0, float("nan")])
def test_sparsity_outside_its_range_is_refused(sparsity):
    with pytest.raises(ValueError, match="sparsity"):
        allocate(SCORES, sparsity)


def test_an_unknown_allocation_is_refused():
    with pytest.raises(ValueError, match="layered"):
        allocate(SCORES, 0.5, "layered")


def test_a_layer_that_would_vanish_is_named():
    scores = {"big": torch.ones(4, 4) * 2, "small": torch.ones(2, 2)}

    with pytest.raises(ModelError, match="'small'"):
        allocate(scores, 0.2)
    assert achieved_sparsity(allocate(scores, 0.2, "uniform")) == pytest.approx((3 + 1) / 20)


def test_a_bias_may_vanish():
    assert not allocate({"weight": torch.ones(2, 2) * 2, "bias": torch.ones(2)}, 0.34)["bias"].any()


def test_scores_that_are_no_numbers_are_refused():
    with pytest.raises(ModelError, match="'b'"):
        allocate({"a": torch.ones(2, 2), "b": torch.tensor([1.0, float("nan")])}, 0.0)


def test_infinite_scores_are_kept():
    masks = allocate({"a": torch.tensor([float("inf"), 1.0, float("inf"), float("-inf")])}, 0.5)

    assert masks["a"].tolist() == [True, False, True, False]


def test_no_scores_give_no_masks():
    assert allocate({}, 0.5) == {}
    assert achieved_sparsity({}) == 0.0


def test_pruned_weights_are_plus_zero_even_where_they_were_nan():
    model = nn.Linear(3, 1)
    model.weight.data = torch.tensor([[-2.0, float("nan"), -3.0]])
    apply_masks(model, {"weight": torch.tensor([[False, False, True]])})

    assert model.weight.view(torch.int32).tolist()[0][:2] == [0, 0]
    assert model.weight[0, 2].item() == -3.0


def test_masks_of_another_network_are_refused_and_nothing_changes():
    model = nn.Linear(3, 1)
    before = model.weight.clone()
    with pytest.raises(ModelError, match="'other'"):
        apply_masks(model, {"weight": torch.zeros(1, 3, dtype=torch.bool), "other": torch.ones(1, dtype=torch.bool)})
    with pytest.raises(ModelError, match=r"\(3, 1\)"):
        apply_masks(model, {"weight": torch.zeros(3, 1, dtype=torch.bool)})

    assert torch.equal(model.weight, before)
