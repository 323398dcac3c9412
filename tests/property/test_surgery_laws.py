"""Laws of surgery, on networks drawn at random: what `structure` promises, `surgery` delivers."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from sentei.errors import ModelError
from sentei.evaluation.macs import count_macs
from sentei.structure import Group, Structure, trace
from sentei.surgery import History, cut
from tests.property.random_networks import HEADS, SHAPE, STAGES, network, networks
from tests.unit.surgery.agreement import assert_smaller_is_masked, random_keep, randomise

seeds = st.integers(0, 2**16)


def traced(model: nn.Module) -> Structure | None:
    """None if nothing can leave."""
    try:
        return trace(model, SHAPE)
    except ModelError as error:
        if "no channel or head can leave" in str(error):
            return None
        raise


def random_request(structure: Structure, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Units of some groups leave, others keep all; no layer is left without any."""
    keep = random_keep(structure, rng, float(rng.choice([0.25, 0.5, 0.75])))
    for group in structure.groups:
        if rng.random() < 0.2:
            keep[group.name][:] = True
        for member in group.members:  # a branch of a concatenation may make a part of the units only
            own = np.unique(member.units[member.units >= 0])
            keep[group.name][own[0]] |= not keep[group.name][own].any()
    return keep


def check(model: nn.Module, seed: int) -> None:
    structure = traced(randomise(model, seed))
    if structure is None:
        return
    keep = random_request(structure, np.random.default_rng(seed))
    leaving = any(not mask.all() for mask in keep.values())
    slim, _ = assert_smaller_is_masked(model, structure, keep, SHAPE, changes=1e-6 if leaving else -1.0)
    assert count_macs(slim, SHAPE).total == structure.macs(keep)
    if any(keep[group.name].sum() == 1 and made_in_groups(group) for group in structure.groups):
        return  # a grouped convolution of which one group is left is an ordinary one, whose channels can leave alone
    remaining = {name: int(mask.sum()) for name, mask in keep.items() if mask.sum() > 1}
    again = traced(slim)
    assert {group.name: group.n_units for group in (again.groups if again else ())} == remaining


def made_in_groups(group: Group) -> bool:
    """Whether some layer makes several places of each unit."""
    return any(len(member.units) > group.n_units for member in group.members if member.role == "out")


@settings(max_examples=120)
@given(networks(), seeds)
def test_the_smaller_network_answers_as_the_masked_one_and_costs_what_was_foretold(model, seed):
    """And tracing it again finds the units that were left."""
    check(model, seed)


@pytest.mark.parametrize("stage", STAGES)
def test_each_stage_alone(stage):
    check(network([stage], "flattened", seed=0), seed=1)


@pytest.mark.parametrize("head", HEADS)
def test_each_head_alone(head):
    check(network(["residual"], head, seed=0), seed=1)


@settings(max_examples=25)
@given(networks(), seeds)
def test_two_steps_are_one(model, seed):
    """Bit for bit; and a history of two steps makes the same network as both cuts."""
    structure = traced(randomise(model, seed))
    if structure is None:
        return
    keep = random_request(structure, np.random.default_rng(seed))
    chance = np.random.default_rng(seed + 1)
    first = {name: mask | (chance.random(len(mask)) < 0.5) for name, mask in keep.items()}
    at_once, twice, fresh = copy.deepcopy(model), copy.deepcopy(model), copy.deepcopy(model)

    cut(at_once, structure, keep, SHAPE)
    history = History().then(cut(twice, structure, first, SHAPE))
    middle = traced(twice)
    if middle is not None:
        names = [g.name for g in middle.groups if g.name in keep and g.n_units == first[g.name].sum()]
        second = {name: keep[name][first[name]] for name in names}
        history = history.then(cut(twice, middle, second, SHAPE))

    assert equal_states(at_once, twice)
    assert equal_states(at_once, History.from_json(history.to_json()).apply(fresh))


def equal_states(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().items(), other.state_dict().items(), strict=True)
    return all(a == b and torch.equal(x, y) for (a, x), (b, y) in pairs)
