"""Pruning in rounds reaches what was asked for, over the way that the schedule says, and never goes back."""

import json
from itertools import pairwise
from math import prod

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from sentei.data.preprocessing import Preprocessing
from sentei.errors import ModelError
from sentei.importance import ScoringRows, prunable_weights, score, score_units
from sentei.recipe.variant import Variant
from sentei.steps import layout
from sentei.steps.frozen import from_text, to_text
from sentei.steps.rounds import exceptions_of, step, totals
from sentei.steps.unit_pruning import UnitPruning
from sentei.steps.weight_pruning import mask_weights
from sentei.structure import trace

DATA = {"input": {"shape": [3, 6, 6], "dtype": "float32"}}
ROWS = ScoringRows(
    np.random.default_rng(0).normal(size=(40, 3, 6, 6)).astype(np.float32),
    np.arange(40) % 3,
    Preprocessing(1.0, (0.0,) * 3, (1.0,) * 3),
    16,
)


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 6, 3), nn.ReLU(),
        nn.Flatten(), nn.Linear(24, 10), nn.ReLU(), nn.Linear(10, 3),
    ).eval()  # fmt: skip


def spec(**chosen):
    """A specification as it arrives at a step."""
    return from_text(to_text(Variant(**chosen).specification()))


def shaken(model, number, masks=None):
    """Stands for training between rounds: every weight moves, and those under a mask stay zero."""
    generator = torch.Generator().manual_seed(number)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.1)
            if masks and name in masks:
                parameter.mul_(masks[name])


@given(st.sampled_from(["iterative", "cubic"]), st.integers(2, 9), st.integers(0, 999))
def test_the_steps_of_all_rounds_leave_what_was_asked_for(schedule, rounds, final):
    reached = totals({"schedule": schedule, "rounds": rounds}, final / 1000)
    steps = [step(reached, number) for number in range(rounds)]
    assert prod(1 - one for one in steps) == pytest.approx(1 - final / 1000)
    assert all(0 <= one < 1 for one in steps)


def test_an_exception_is_a_share_of_the_dense_network_or_of_the_round_before():
    chosen = spec(sparsity=0.5, layers={"b": 0.75, "a*": "keep"}, schedule="iterative", rounds=2)
    assert list(exceptions_of(chosen).items()) == [("b", 0.75), ("a*", "keep")]
    assert [exceptions_of(chosen, number) for number in (0, 1)] == [{"b": pytest.approx(0.5), "a*": "keep"}] * 2


# Han: equal ratios, so that 1 - 0.2 ** (1/3) leave first; Zhu and Gupta: s (1 - (1 - t/n)^3).
REACHED = {
    "iterative": [1 - 0.2 ** (k / 3) for k in (1, 2, 3)],
    "cubic": [0.8 * (1 - (1 - k / 3) ** 3) for k in (1, 2, 3)],
}


@pytest.mark.parametrize("granularity", ["weight", "block:2x3"])
@pytest.mark.parametrize("schedule", ["iterative", "cubic"])
@pytest.mark.parametrize("reconstruct", [False, True])
def test_masks_grow_as_the_schedule_says_and_never_give_back(schedule, granularity, reconstruct):
    model, seen = network(), []
    scores = score(model, "magnitude-l1", prunable_weights(model), seed=0)
    common = {"sparsity": 0.8, "allocation": "uniform", "schedule": schedule, "rounds": 3}
    chosen = spec(granularity=granularity, reconstruct=reconstruct, **common)

    def recover(model, number, masks):
        seen.append({name: mask.clone() for name, mask in masks.items()})
        shaken(model, number, masks)
        with torch.no_grad():  # zeros that no mask explains, and that come first among equals
            for name in masks:
                model.get_parameter(name).view(-1)[: masks[name].numel() * 3 // 5] = 0

    seen.append(mask_weights(model, chosen, scores, ROWS, 0, recover))

    n = sum(scores[name].numel() for name in scores)
    gone = [sum(int((~mask).sum()) for mask in masks.values()) for masks in seen]
    near = 4 * (0.5 if granularity == "weight" else 3)  # four layers, each rounded by itself
    assert [abs(one - share * n) <= near for one, share in zip(gone, REACHED[schedule], strict=True)] == [True] * 3
    for before, later in pairwise(seen):
        assert not any((later[name] & ~before[name]).any() for name in before)
    assert all((model.get_parameter(name)[~mask] == 0).all() for name, mask in seen[-1].items())


def test_excepted_layers_follow_the_schedule_to_their_own_share():
    model, seen = network(), []
    scores = score(model, "magnitude-l1", prunable_weights(model), seed=0)
    chosen = spec(sparsity=0.5, layers={"3": "keep", "6": 0.75}, schedule="iterative", rounds=2)
    masks = mask_weights(model, chosen, scores, ROWS, 0, lambda model, number, masks: seen.append(masks))
    for found, share in ((seen[0], 0.5), (masks, 0.75)):
        assert found["3.weight"].all()
        assert int((~found["6.weight"]).sum()) == share * 240


@pytest.fixture
def scored(tmp_path):
    with layout.writing(tmp_path / "scores", "scores"):
        pass
    return layout.reading(tmp_path / "scores")


def slimmed(scored, model, **chosen):
    """The smaller network, and how many units its groups had after each round."""
    structure, sizes = trace(model, (3, 6, 6)), []
    wanted = spec(granularity="channel", **chosen)
    pruning = UnitPruning(wanted, DATA, ROWS, scored, seed=0)

    def recover(model, number):
        sizes.append(units(model))
        shaken(model, number)

    pruning.prune(model, score_units(model, wanted["criterion"], structure, 0, ROWS), recover)
    return model, [*sizes, units(model)], pruning.surgery


def units(model):
    return [len(model[layer].weight) for layer in (0, 3, 6)]


@pytest.mark.parametrize("schedule", ["iterative", "cubic"])
def test_units_leave_as_the_schedule_says_and_the_history_has_one_step_for_each_round(scored, schedule):
    model, sizes, surgery = slimmed(scored, network(), sparsity=0.8, schedule=schedule, rounds=3)
    assert len(surgery.steps) == 3
    again = surgery.apply(network())
    again.load_state_dict(model.state_dict())
    assert json.loads(json.dumps(surgery.to_json())) == surgery.to_json()
    for found, share in zip(sizes, REACHED[schedule], strict=True):
        assert abs(sum(found) - (1 - share) * 24) <= 1


def test_criteria_that_look_at_rows_look_again_after_each_round(scored):
    for criterion in ("taylor", "bn-scale"):
        if criterion == "bn-scale":
            with pytest.raises(ModelError, match="found none in 3, 6"):
                slimmed(scored, network(), criterion=criterion, sparsity=0.5, schedule="cubic", rounds=2)
        else:
            _, sizes, _ = slimmed(scored, network(), criterion=criterion, sparsity=0.5, schedule="cubic", rounds=2)
            assert sum(sizes[-1]) == 12


def test_an_exception_whose_group_has_a_single_unit_left_has_done_its_work(scored):
    layers = {"0": 0.95, "6": "keep"}
    _, sizes, _ = slimmed(scored, network(), sparsity=0.5, layers=layers, schedule="cubic", rounds=2)
    # 0.95 (1 - 1/8) of 8 channels is all but one already; conv 3 loses half of 6, the last layer nothing.
    assert sizes[0][0] == sizes[1][0] == 1
    assert sizes[1][1:] == [3, 10]


def test_a_budget_that_only_the_smallest_network_meets_is_met_after_rounds_too(scored):
    least = 16 * 27 + 4 * 9 + 4 + 3
    model, sizes, _ = slimmed(scored, network(), budget={"macs": least}, schedule="iterative", rounds=2)
    assert sizes[0] > sizes[1] == [1, 1, 1]
    assert macs_by_hand(model) == least
    with pytest.raises(ModelError, match=f"the budget is {least - 1}"):
        slimmed(scored, network(), budget={"macs": least - 1}, schedule="iterative", rounds=2)


def macs_by_hand(model):
    return sum(model[layer].weight.numel() * places for layer, places in ((0, 16), (3, 4), (6, 1), (8, 1)))
