"""Places with rows and recipes, and a run in one of them that nothing disturbed."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.once import once
from tests.pipeline.place import HOPELESS, RECIPE, Place


@dataclass(frozen=True)
class Undisturbed:
    """A place where ``sentei run`` has ended, what it printed, and what it had found by then."""

    place: Place
    code: int
    output: str
    findings: dict[str, Any]


@pytest.fixture(scope="session")
def new_place(tmp_path_factory):
    """Makes folders with the rows, a recipe, and one whose claim nothing can fulfil."""
    return lambda name: _furnished(tmp_path_factory.mktemp(name))


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """One run from beginning to end; the tests of a session look at it, and do not change it."""
    folder = once(tmp_path_factory, "undisturbed", _run)
    return Undisturbed(Place(folder), **json.loads((folder / "told.json").read_text()))


def _furnished(folder: Path) -> Place:
    place = Place(folder)
    place.write_rows()
    place.write_recipe("tiny.yaml", RECIPE)
    place.write_recipe("hopeless.yaml", HOPELESS)
    return place


def _run(folder: Path) -> None:
    place = _furnished(folder)
    done = place.sentei("run", "tiny.yaml")
    findings = {} if done.returncode else place.findings()
    told = {"code": done.returncode, "output": done.stdout + done.stderr, "findings": findings}
    (folder / "told.json").write_text(json.dumps(told))
