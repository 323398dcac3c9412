"""A family is a list of variants whose names tell them apart."""

import json
import re
from itertools import product
from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from sentei.errors import RecipeError
from sentei.recipe import parse_recipe
from sentei.recipe.variant import Allocation, Criterion, Schedule, Variant

HEAD = """\
name: small
data: {source: digits, splits: {scoring: 100, selection: 300, calibration: 600, test: 200}}
model: {architecture: mlp}
claim: {epsilon: 0.03}
"""


def names(family: str) -> list[str]:
    return [variant.name for variant in parse_recipe(f"{HEAD}family: {family}\n").family.members()]


@pytest.mark.parametrize(
    ("sparsity", "name"),
    [
        (0, "magnitude-l1-global-0.00"),
        (0.9, "magnitude-l1-global-0.90"),
        ("0.900", "magnitude-l1-global-0.90"),
        (0.905, "magnitude-l1-global-0.905"),
        (0.12345, "magnitude-l1-global-0.12345"),
        ("1e-3", "magnitude-l1-global-0.001"),
        (0.999999, "magnitude-l1-global-0.999999"),
    ],
)
def test_a_name_says_the_sparsity_in_full(sparsity, name):
    assert Variant(sparsity=sparsity).name == name


SHARES = st.integers(0, 9999).map(lambda n: n / 10000)
AMOUNTS = st.one_of(st.integers(1, 9999).map(lambda n: n / 10000), st.integers(1, 99999))
MEASURES = ("macs", "parameters", "bytes", "latency", "latency_ms")
CHOICES = {
    "criterion": st.sampled_from(get_args(Criterion)),
    "granularity": st.sampled_from(["weight", "channel", "2:4", "1:4", "block:4x4", "block:4x1", "block:1x4"]),
    "allocation": st.sampled_from(get_args(Allocation)),
    "sparsity": SHARES,
    "budget": st.builds(lambda measure, amount: {measure: amount}, st.sampled_from(MEASURES), AMOUNTS),
    "layers": st.dictionaries(st.sampled_from(["fc1", "fc2", "fc*"]), st.one_of(st.just("keep"), SHARES), min_size=1),
    "round_to": st.integers(1, 16),
    "reconstruct": st.booleans(),
    "schedule": st.sampled_from(get_args(Schedule)),
    "rounds": st.integers(1, 12),
    "round_epochs": st.integers(1, 12),
    "finetune": st.integers(0, 30),
    "data_free": st.fixed_dictionaries(
        {},
        optional={
            "mode": st.sampled_from(["greedy", "stochastic"]),
            "step": st.sampled_from(["0.025", "0.05"]),
            "ranking": st.sampled_from(["bounds", "width", "saliency"]),
        },
    ),
    "depth": st.fixed_dictionaries(
        {},
        optional={
            "activations": st.integers(1, 30),
            "blocks": st.integers(1, 30),
            "by": st.sampled_from(["entropy", "folding", "influence"]),
            "per_round": st.integers(1, 5),
            "within": st.sampled_from(["0.01", "0.1"]),
            "penalty": st.sampled_from(["0", "0.1"]),
            "merge": st.booleans(),
        },
    ),
}
GIVEN = st.one_of(
    st.fixed_dictionaries({"sparsity": CHOICES["sparsity"]}, optional={"granularity": CHOICES["granularity"]}),
    st.fixed_dictionaries({"budget": CHOICES["budget"], "granularity": st.just("channel")}),
    st.fixed_dictionaries({"budget": CHOICES["budget"]}),
    st.fixed_dictionaries({"granularity": CHOICES["granularity"]}),
    st.fixed_dictionaries({"depth": CHOICES["depth"]}),
    st.fixed_dictionaries(
        {
            "criterion": st.just("data-free"),
            "granularity": st.just("channel"),
            "allocation": st.just("uniform"),
            "sparsity": CHOICES["sparsity"],
        },
        optional={"data_free": CHOICES["data_free"]},
    ),
)
IN_ROUNDS = st.fixed_dictionaries(
    {"schedule": st.sampled_from(["iterative", "cubic"]), "rounds": st.integers(2, 12)},
    optional={"round_epochs": CHOICES["round_epochs"]},
)
OTHERS = st.fixed_dictionaries(
    {}, optional={name: CHOICES[name] for name in ("criterion", "allocation", "layers", "reconstruct", "finetune")}
)


def possible(written) -> Variant | None:
    """The variant, if these choices go together."""
    try:
        return Variant(**written)
    except ValidationError:
        return None


VARIANTS = st.builds(
    lambda *parts: possible({name: value for part in parts for name, value in part.items()}),
    *(GIVEN, st.one_of(st.just({}), IN_ROUNDS), OTHERS),
).filter(lambda variant: variant is not None)


@st.composite
def pairs(draw):
    """Two variants, the second often the first with one choice made otherwise."""
    one = draw(VARIANTS)
    name = draw(st.sampled_from(list(CHOICES)))
    near = {key: value for key in one.model_fields_set if (value := getattr(one, key)) is not None}
    near = {key: getattr(value, "model_dump", lambda value=value: value)() for key, value in near.items()}
    other = possible({**near, name: draw(CHOICES[name])})
    return one, other or draw(VARIANTS)


@settings(max_examples=300, suppress_health_check=[HealthCheck.filter_too_much])
@given(pairs())
def test_distinct_variants_have_distinct_names_and_equal_ones_the_same(pair):
    specified = [(list(one.specification().items()), one.finetune) for one in pair]
    specified = [json.dumps([sorted(items), finetune]) for items, finetune in specified]
    assert (specified[0] == specified[1]) == (pair[0].name == pair[1].name)


@settings(suppress_health_check=[HealthCheck.filter_too_much])
@given(VARIANTS)
def test_a_name_is_fit_for_a_folder_and_a_recipe_gives_it_again(variant):
    assert re.fullmatch("[a-z0-9.-]{1,120}", variant.name)
    assert Variant.model_validate(variant.model_dump()).name == variant.name


def test_a_grid_is_every_combination_once():
    choices = (
        "criterion: [magnitude-l1, random], allocation: [global, uniform], sparsity: [0.1, 0.25], finetune: [0, 3]"
    )
    expected = {
        f"{criterion}-{allocation}-{sparsity}{tail}"
        for criterion, allocation, sparsity, tail in product(
            ["magnitude-l1", "random"], ["global", "uniform"], ["0.10", "0.25"], ["", "-ft3"]
        )
    }
    made = names(f"{{grid: {{{choices}}}}}")
    assert set(made) == expected
    assert len(made) == len(expected) == 16


def test_the_listed_ones_come_first_and_as_written():
    family = "{variants: [{sparsity: 0.7}, {sparsity: 0.2}], grid: {sparsity: [0.5, 0.3]}}"
    assert [name[-4:] for name in names(family)] == ["0.70", "0.20", "0.50", "0.30"]


@pytest.mark.parametrize(
    ("family", "told"),
    [
        ("{}", "expected at least one variant, in variants or in grid"),
        ("{variants: []}", "expected at least one variant"),
        ("{grid: {sparsity: []}}", "at least 1 item"),
        ("{grid: {sparsity: [0.5], criterion: []}}", "at least 1 item"),
        ("{grid: {sparsity: [0.5, 0.50]}}", "more than once: magnitude-l1-global-0.50"),
        ("{variants: [{sparsity: 0.5}, {sparsity: 5e-1}]}", "more than once: magnitude-l1-global-0.50"),
        ("{variants: [{sparsity: 0.5}], grid: {sparsity: [0.1, 0.5]}}", "more than once: magnitude-l1-global-0.50"),
    ],
)
def test_a_family_without_variants_or_with_one_twice_is_refused(family, told):
    with pytest.raises(RecipeError) as caught:
        names(family)
    assert told in str(caught.value)
    assert "recipe: 1 mistake\n" in str(caught.value)
