"""Places with rows and recipes, and a run in one of them that nothing disturbed."""

from dataclasses import dataclass

import pytest

from tests.pipeline.place import HOPELESS, RECIPE, Place


@dataclass(frozen=True)
class Undisturbed:
    """A place where ``sentei run`` has ended, and what it printed."""

    place: Place
    code: int
    output: str


@pytest.fixture(scope="session")
def new_place(tmp_path_factory):
    """Makes folders with the rows, a recipe, and one whose claim nothing can fulfil."""

    def make(name):
        place = Place(tmp_path_factory.mktemp(name))
        place.write_rows()
        place.write_recipe("tiny.yaml", RECIPE)
        place.write_recipe("hopeless.yaml", HOPELESS)
        return place

    return make


@pytest.fixture(scope="session")
def undisturbed(new_place):
    """One run from beginning to end; the tests of a session look at it, and do not change it."""
    place = new_place("undisturbed")
    done = place.sentei("run", "tiny.yaml")
    return Undisturbed(place, done.returncode, done.stdout + done.stderr)
