"""A family is a list of variants whose names tell them apart."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentei.errors import RecipeError
from sentei.recipe import parse_recipe
from sentei.recipe.family import Variant

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


VARIANTS = st.builds(
    Variant,
    criterion=st.sampled_from(["magnitude-l1", "magnitude-l2", "random"]),
    allocation=st.sampled_from(["global", "uniform"]),
    sparsity=st.integers(0, 9999).map(lambda n: n / 10000),
    finetune=st.integers(0, 30),
)


@given(VARIANTS, VARIANTS)
def test_distinct_variants_have_distinct_names(one, other):
    assert (one == other) == (one.name == other.name)


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
