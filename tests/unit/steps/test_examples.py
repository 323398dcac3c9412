"""Rows are those that the plan froze, whatever stands in the cache."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sentei.errors import DataError, RecipeError
from sentei.steps.examples import cache_folder, open_split
from sentei.steps.frozen import to_text
from sentei.steps.plan import plan

NAMES = ("train", "scoring", "selection", "calibration", "test")


@pytest.fixture
def frozen(chain, tmp_path, machine):
    """The plan's rows, with a cache of its own."""
    machine.setenv("SENTEI_CACHE", str(tmp_path / "cache"))
    return chain.plan.examples


def contents(frozen):
    return {
        name: (rows.inputs.tobytes(), rows.labels.tobytes()) for name in NAMES for rows in [open_split(frozen, name)]
    }


def test_an_empty_cache_and_a_full_one_give_the_same_rows(frozen):
    assert contents(frozen) == contents(frozen)
    assert len(list(cache_folder().iterdir())) == 1


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "selection.inputs.npy").write_bytes(b""),
        lambda folder: (folder / "selection.labels.npy").unlink(),
        lambda folder: (folder / "manifest.json").unlink(),
        lambda folder: np.save(folder / "selection.labels.npy", np.zeros(7, dtype=np.int64)),
        lambda folder: np.save(folder / "selection.labels.npy", np.zeros(300, dtype=np.int64)),
        lambda folder: np.save(folder / "selection.rows.npy", np.array([{}]), allow_pickle=True),
    ],
)
def test_a_damaged_cache_is_made_anew(frozen, damage):
    before = contents(frozen)
    (folder,) = cache_folder().iterdir()
    damage(folder)
    assert contents(frozen) == before


def test_rows_that_changed_since_the_plan_are_refused(frozen):
    splits = {**frozen["splits"], "test": {"n_examples": 200, "digest": "0" * 64}}
    with pytest.raises(
        DataError, match="test split: the plan froze rows with digest 000000000000, the source now gives"
    ):
        open_split({**frozen, "splits": splits}, "test")


def test_the_cache_stands_where_the_machine_says(machine, tmp_path):
    machine.delenv("SENTEI_CACHE")
    machine.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "sentei/examples"
    machine.delenv("XDG_CACHE_HOME")
    machine.setenv("HOME", str(tmp_path / "home"))
    assert cache_folder() == Path(tmp_path / "home/.cache/sentei/examples")


def test_a_plan_of_too_many_rows_is_refused(chain):
    with pytest.raises(DataError, match="calibration: expected 6000 rows, but only 1597 are left"):
        plan(chain.recipe.replace("calibration: 600", "calibration: 6000"))


def test_a_plan_tells_the_mistakes_of_its_recipe(chain):
    with pytest.raises(RecipeError, match="did you mean 'seed'"):
        plan(chain.recipe.replace("seed: 3", "sed: 3"))


def test_another_seed_deals_other_rows_and_draws_other_weights(chain):
    other = plan(chain.recipe.replace("seed: 3", "seed: 4"))
    for name in NAMES:
        assert other.examples["splits"][name]["digest"] != chain.plan.examples["splits"][name]["digest"]
    assert other.dense["seed"] != chain.plan.dense["seed"]
    assert other.decision["family"] == chain.plan.decision["family"]


def test_a_change_of_the_claim_changes_only_the_decision(chain):
    other = plan(chain.recipe.replace("claim: {epsilon: 0.03}", "claim: {epsilon: 0.02}"))
    assert to_text(replace(other, decision={}).record()) == to_text(replace(chain.plan, decision={}).record())
    assert other.decision["claims"][0]["tolerance"] == "0.02"
