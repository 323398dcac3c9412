"""What a recipe may wish for the test of its champion on fresh rows."""

import pytest

from sentei.errors import RecipeError
from sentei.recipe import parse_recipe

RECIPE = """\
name: toy
data: {source: digits, splits: {scoring: 100, selection: 300, calibration: 600, test: 200}}
model: {architecture: mlp}
family: {variants: [{sparsity: 0.5}]}
claim: {epsilon: 0.1}
"""


def wishes(text):
    return parse_recipe(f"{RECIPE}recertify: {text}\n").recertify


def test_left_out_the_champion_is_tested_on_all_fresh_rows_and_demoted_on_proof_alone():
    found = parse_recipe(RECIPE).recertify
    assert (found.alias, found.data, found.rows) == ("champion", None, None)
    assert (found.reuse, found.demote) == (False, "refuted")


def test_rows_may_come_from_another_source():
    found = wishes("{data: {source: npz, path: s3://rows/new.npz}, rows: 2000, demote: unless-certified}")
    assert found.data.request() == {"source": "npz", "path": "s3://rows/new.npz"}
    assert (found.rows, found.demote) == (2000, "unless-certified")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{demote: always}", "recertify.demote"),
        ("{alias: latest}", "recertify.alias"),
        ("{rows: 0}", "recertify.rows"),
        ("{data: {source: npz}}", "recertify.data.path"),
        ("{fallback: dense}", "recertify.fallback"),
    ],
)
def test_a_mistake_is_named_with_its_place(text, message):
    with pytest.raises(RecipeError, match=message):
        wishes(text)
