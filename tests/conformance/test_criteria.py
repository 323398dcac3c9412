"""What every criterion promises, whichever it is. A new one is tested here once it stands in the registry."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from sentei.errors import ModelError
from sentei.importance import CRITERIA, prunable_weights, score, score_units
from tests.conformance.nets import convolutional, of_convolutional, reordered, rows

OF_WEIGHTS = [name for name, criterion in CRITERIA.items() if criterion.weights]
OF_UNITS = [name for name, criterion in CRITERIA.items() if criterion.units]
CASES = [(name, "weights") for name in OF_WEIGHTS] + [(name, "units") for name in OF_UNITS]
WITH_ROWS = [case for case in CASES if CRITERIA[case[0]].needs_rows]
WITHOUT_DRAWING = [case for case in CASES if case[0] != "random"]  # random goes by place, and by nothing else

STRUCTURE = of_convolutional()


def scored(model, criterion, granularity, given=None, seed=3):
    """The scores that a criterion gives at one granularity."""
    given = given if given is not None or not CRITERIA[criterion].needs_rows else rows()
    if granularity == "units":
        return score_units(model, criterion, STRUCTURE, seed, given)
    return score(model, criterion, prunable_weights(model), seed, given)


def close(one, other, relative):
    """Whether two tensors are equal up to a share of the largest number in them."""
    return float((one - other).abs().max()) <= relative * float(other.abs().max())


@pytest.mark.parametrize(("criterion", "granularity"), CASES)
def test_scores_are_finite_float32_in_the_shape_of_what_is_scored(criterion, granularity):
    model = convolutional()
    found = scored(model, criterion, granularity)
    if granularity == "units":
        expected = {group.name: (group.n_units,) for group in STRUCTURE.groups}
    else:
        expected = {name: tuple(model.get_parameter(name).shape) for name in prunable_weights(model)}

    assert list(found) == list(expected)
    for name, tensor in found.items():
        assert tuple(tensor.shape) == expected[name]
        assert tensor.dtype == torch.float32
        assert tensor.device.type == "cpu"
        assert tensor.isfinite().all()
        assert not tensor.requires_grad
        assert len(tensor.unique()) > 1  # it tells them apart


@pytest.mark.parametrize(("criterion", "granularity"), CASES)
def test_scores_repeat_bit_for_bit_whatever_the_global_random_state(criterion, granularity):
    model = convolutional()
    torch.manual_seed(1)
    np.random.seed(1)
    first = scored(model, criterion, granularity)
    torch.manual_seed(2)
    np.random.seed(2)
    before = torch.random.get_rng_state()
    again = scored(model, criterion, granularity)

    assert torch.equal(torch.random.get_rng_state(), before)
    for name in first:
        assert torch.equal(first[name], again[name])


@pytest.mark.parametrize(("criterion", "granularity"), CASES)
def test_networks_are_only_read(criterion, granularity):
    model = convolutional().train()
    model[4].eval()
    model[3].weight.requires_grad_(False)
    model[7].weight.grad = torch.ones_like(model[7].weight)
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    scored(model, criterion, granularity)

    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())
    assert [name for name, module in model.named_children() if not module.training] == ["4"]
    assert [name for name, parameter in model.named_parameters() if not parameter.requires_grad] == ["3.weight"]
    assert [name for name, parameter in model.named_parameters() if parameter.grad is not None] == ["7.weight"]
    assert torch.equal(model[7].weight.grad, torch.ones(6, 20))
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


@pytest.mark.parametrize("group", STRUCTURE.groups, ids=lambda group: group.name)
@pytest.mark.parametrize(("criterion", "granularity"), WITHOUT_DRAWING)
def test_scores_move_with_their_units(criterion, granularity, group):
    model, moved = convolutional(), convolutional()
    order = np.random.default_rng(4).permutation(group.n_units)
    moved.load_state_dict(reordered(dict(model.state_dict()), group, order))
    before, after = scored(model, criterion, granularity), scored(moved, criterion, granularity)
    if granularity == "units":
        before = before | {group.name: before[group.name][torch.from_numpy(order)]}
    else:
        before = reordered(before, group, order)

    assert (order != np.arange(group.n_units)).any()
    for name in before:
        assert close(after[name], before[name], 1e-5)


@pytest.mark.parametrize("labelled", [True, False])
@pytest.mark.parametrize(("criterion", "granularity"), WITH_ROWS)
def test_the_batch_size_changes_nothing_but_rounding(criterion, granularity, labelled):
    at_once = scored(convolutional(), criterion, granularity, rows(batch_size=12, labelled=labelled))
    for batch_size in (1, 5):
        found = scored(convolutional(), criterion, granularity, rows(batch_size=batch_size, labelled=labelled))
        for name in found:
            assert close(found[name], at_once[name], 1e-5)


@pytest.mark.parametrize(("criterion", "granularity"), WITH_ROWS)
def test_rows_matter_and_labels_only_where_the_registry_says_so(criterion, granularity):
    model = convolutional()
    given = rows()
    usual = scored(model, criterion, granularity, given)
    other_rows = scored(model, criterion, granularity, rows(seed=1))
    labels = dataclasses.replace(given, labels=(given.labels + 1) % 3)
    other_labels = scored(model, criterion, granularity, labels)
    same = all(torch.equal(usual[name], other_labels[name]) for name in usual)

    assert not any(torch.equal(usual[name], other_rows[name]) for name in usual)
    assert same != CRITERIA[criterion].needs_labels


@pytest.mark.parametrize(("criterion", "granularity"), [case for case in CASES if case not in WITH_ROWS])
def test_other_criteria_need_no_rows_and_do_not_look_at_them(criterion, granularity):
    without, given = (scored(convolutional(), criterion, granularity, given) for given in (None, rows()))
    assert all(torch.equal(without[name], given[name]) for name in without)


@pytest.mark.parametrize(("criterion", "granularity"), WITH_ROWS)
def test_a_criterion_without_the_rows_it_needs_is_refused(criterion, granularity):
    function, what = (score_units, STRUCTURE) if granularity == "units" else (score, ["0.weight"])
    with pytest.raises(ModelError, match=rf"{criterion} looks at rows and received none; .*magnitude-l2"):
        function(convolutional(), criterion, what, 0)


def test_the_way_out_of_a_wrong_granularity_is_named():
    with pytest.raises(ModelError, match=r"fpgm scores the units.*scored by magnitude-l1, .*obs-blocks$"):
        score(convolutional(), "fpgm", ["0.weight"], 0)
    with pytest.raises(ModelError, match=r"obs-blocks scores single weights.*scored by magnitude-l1, .*fpgm"):
        score_units(convolutional(), "obs-blocks", STRUCTURE, 0, rows())


@pytest.mark.parametrize(("criterion", "granularity"), [case for case in CASES if case[0] != "random"])
def test_broken_weights_are_refused(criterion, granularity):
    model = convolutional()
    with torch.no_grad():
        for parameter in (model[1].weight, model[3].weight):  # bn-scale looks at the first, fpgm at the second
            parameter.view(-1)[1] = float("nan")
    with pytest.raises(ModelError, match=r"not a number|not finite"):
        scored(model, criterion, granularity)


@pytest.mark.parametrize("criterion", OF_UNITS)
def test_the_structure_of_another_network_is_refused(criterion):
    given = rows() if CRITERIA[criterion].needs_rows else None
    with pytest.raises(ModelError, match=r"'0\.weight'"):
        score_units(nn.Sequential(nn.Linear(72, 5)), criterion, STRUCTURE, 0, given)


@pytest.mark.parametrize(("criterion", "granularity"), CASES)
def test_the_registry_knows_each_criterion_by_its_own_name(criterion, granularity):
    assert CRITERIA[criterion].name == criterion
    assert not CRITERIA[criterion].needs_labels or CRITERIA[criterion].needs_rows
