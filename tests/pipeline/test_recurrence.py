"""What a schedule does: the same calibration rows again and again, and now and then two runs at once.

The tests of this file are one chain, in this order, on one registry and one ledger.
"""

import json

import pytest

from tests.pipeline.place import RECIPE

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(1800)]

MODEL = "sentei-weekly"
WEEKLY = RECIPE | {
    "name": "weekly",
    "data": {
        **RECIPE["data"],
        "splits": {"train": 400, "scoring": 50, "selection": 250, "calibration": 900, "test": 100},
    },
    "train": {**RECIPE["train"], "epochs": 8},
    "claim": {"kind": "accuracy_drop", "epsilon": 0.2},
}
SPARSITIES = {"first": 0.4, "second": 0.2, "left": 0.5, "right": 0.6}
"""The second one is not cheaper than the first; those that run at once are, and the right one is the cheapest."""


@pytest.fixture(scope="module")
def place(new_place):
    place = new_place("recurrence")
    for name, sparsity in SPARSITIES.items():
        place.write_recipe(f"{name}.yaml", WEEKLY | {"family": {"variants": [{"sparsity": sparsity}]}})
    return place


def ran(place, name):
    done = place.sentei("run", f"{name}.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def attempts(place):
    """Number, price and answer of each attempt, in the ledger's order."""
    found = []
    for folder in sorted(place.folder.glob("ledger/attempts/*")):
        reserved, answered = (json.loads((folder / f"{name}.json").read_bytes()) for name in ("reserved", "answered"))
        found.append((reserved["number"], float(reserved["price"]), answered["verdict"]))
    return found


def champion(place):
    found = place.ask("select version from registered_model_aliases where alias = 'champion'")
    assert len(found) == 1
    return int(found[0][0])


def versions(place):
    return [version for (version,) in place.ask("select version from model_versions order by version")]


def test_the_first_run_is_the_first_attempt_and_the_same_run_again_is_the_same_attempt_and_version(place):
    ran(place, "first")
    before = attempts(place), place.released()
    assert [number for number, _, _ in before[0]] == [1]
    assert f"{MODEL} version 1, aliases certified, champion" in ran(place, "first")
    assert (attempts(place), place.released()) == before
    assert versions(place) == [1]


def test_a_run_that_improves_nothing_is_the_second_attempt_at_a_smaller_delta_and_leaves_the_champion(place):
    said = ran(place, "second")
    (_, first, _), (number, second, verdict) = attempts(place)
    assert (number, verdict) == (2, "certified")
    assert second < first / 10
    assert "champion: not cheaper" in said
    assert (champion(place), versions(place)) == (1, [1, 2])


def test_two_runs_at_once_are_two_attempts_and_one_champion(place):
    """They have a workspace each, and share ledger and registry."""
    started = [place.start("run", f"{name}.yaml", "--workspace", name) for name in ("left", "right")]
    said = [process.communicate()[0] for process in started]
    assert [process.returncode for process in started] == [0, 0], said
    prices = [price for _, price, _ in attempts(place)]
    assert [number for number, _, _ in attempts(place)] == [1, 2, 3, 4]
    assert prices == sorted(prices, reverse=True)
    assert len(set(prices)) == 4
    certified = [verdict for _, _, verdict in attempts(place)].count("certified")
    assert versions(place) == list(range(1, certified + 1))
    tags = {
        (int(version), key): value
        for version, key, value in place.ask("select version, key, value from model_version_tags")
    }
    costs = {version: float(tags[version, "cost"]) for version in versions(place)}
    assert champion(place) == min(costs, key=lambda version: costs[version])
