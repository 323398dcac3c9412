"""A component is a typed signature and a call of its step; what was generated from it is what lies here."""

import ast
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import yaml
from kfp import dsl

from pipelines import generate
from sentei.steps import layout
from sentei.steps.frozen import to_text
from sentei.steps.plan import plan

ROOT = Path(__file__).resolve().parents[2]
NAMES = sorted(path.parent.name for path in ROOT.glob("components/*/component.py"))

PIPELINES = ("compress", "recertify")

RECIPE = """\
name: toy
data: {source: digits, splits: {scoring: 100, selection: 300, calibration: 600, test: 200}}
model: {architecture: mlp, kwargs: {hidden: [8]}}
train: {epochs: 1}
family: {variants: [{sparsity: 0.5}]}
claim: {epsilon: 0.1}
"""


def function(name):
    (found,) = (
        node
        for node in ast.parse((ROOT / f"components/{name}/component.py").read_text()).body
        if isinstance(node, ast.FunctionDef)
    )
    return found


def specification(name):
    return yaml.safe_load((ROOT / f"components/{name}/component.yaml").read_text())


def test_there_is_a_component_for_every_stage():
    assert set(NAMES) == {
        "plan", "train", "score_importance", "prune", "finetune", "evaluate", "calibrate", "register",
        "fetch_champion", "retest", "conclude",
    }  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_component_is_a_typed_signature_and_at_most_three_lines(name):
    component = function(name)
    arguments = component.args
    assert component.name == name
    assert all(argument.annotation is not None for argument in arguments.args)
    assert not arguments.defaults
    assert not arguments.kwonlyargs
    assert ast.get_docstring(component).splitlines()[0].endswith((".", ";"))
    body = [part for part in component.body[1:] if not isinstance(part, ast.Import | ast.ImportFrom)]
    assert 1 <= len(body) <= 3
    assert not any(isinstance(part, ast.If | ast.For | ast.While | ast.Try | ast.With) for part in ast.walk(component))


@pytest.mark.parametrize("name", NAMES)
def test_a_component_describes_everything_that_it_takes_and_gives(name):
    described = ast.get_docstring(function(name)).partition("Args:")[2]
    for argument in function(name).args.args:
        assert f"\n    {argument.arg}: " in described


@pytest.mark.parametrize("name", NAMES)
def test_no_component_installs_anything_when_it_runs(name):
    for executor in specification(name)["deploymentSpec"]["executors"].values():
        script = " ".join(executor["container"]["command"])
        assert "pip install" not in script
        assert executor["container"]["image"] == "python-sentei:unset"


def test_what_was_generated_is_what_the_sources_give():
    assert generate.stale() == []


def test_every_generated_file_is_compared(tmp_path):
    made = {path.as_posix() for path in generate.generate(tmp_path)}
    kept = {
        path.relative_to(ROOT).as_posix()
        for path in [*ROOT.glob("components/*/*.yaml"), *ROOT.glob("pipelines/*.yaml")]
    }
    assert made == kept | {"pipelines/recipes/recipe.schema.json"}


def test_a_file_edited_by_hand_is_named_and_the_check_fails(tmp_path):
    for folder in ("components", "pipelines"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    edited = tmp_path / "components/train/component.yaml"
    edited.write_text(edited.read_text().replace("Train the dense model", "Train a dense model", 1))
    checked = subprocess.run(
        [sys.executable, "-m", "pipelines.generate", "--check"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 1
    assert checked.stdout == (
        "components/train/component.yaml: differs from its source; run 'make generated' and commit the result\n"
    )


def test_the_pipelines_wire_every_component():
    packages = [next(yaml.safe_load_all((ROOT / f"pipelines/{name}.yaml").read_text())) for name in PIPELINES]
    used = {name.removeprefix("comp-").replace("-", "_") for package in packages for name in package["components"]}
    assert set(NAMES) <= used


@pytest.mark.parametrize("name", PIPELINES)
def test_every_pipeline_takes_a_recipe_and_a_run_key_that_may_be_left_out(name):
    package = next(yaml.safe_load_all((ROOT / f"pipelines/{name}.yaml").read_text()))
    taken = package["root"]["inputDefinitions"]["parameters"]
    assert taken.keys() == {"recipe", "run_key"}
    assert taken["run_key"]["defaultValue"] == ""
    assert package["root"]["outputDefinitions"]["artifacts"].keys() == {"verdict", "bundle"}


def test_nothing_of_recertify_is_cached():
    package = next(yaml.safe_load_all((ROOT / "pipelines/recertify.yaml").read_text()))
    assert [task["cachingOptions"] for task in package["root"]["dag"]["tasks"].values()] == [{}] * 3


def test_what_must_look_again_is_never_cached_and_nothing_else_is_exempt():
    package = next(yaml.safe_load_all((ROOT / "pipelines/compress.yaml").read_text()))
    dags = [package["root"]["dag"], *(part["dag"] for part in package["components"].values() if "dag" in part)]
    cached = {
        name: task["cachingOptions"].get("enableCache", False)
        for dag in dags
        for name, task in dag["tasks"].items()
        if "exec-" + task["componentRef"]["name"].removeprefix("comp-") in package["deploymentSpec"]["executors"]
    }
    assert {name for name, kept in cached.items() if not kept} == {"plan", "calibrate", "register"}


@pytest.fixture
def frozen(tmp_path, monkeypatch):
    monkeypatch.setenv("SENTEI_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("SENTEI_EVENTS", str(tmp_path / "events"))
    monkeypatch.delenv("SENTEI_CHECKPOINTS", raising=False)
    return plan(RECIPE)


def component(name):
    return getattr(import_module(f"components.{name}.component"), name).python_func


def test_components_run_as_plain_functions_and_record_their_summary(frozen, tmp_path):
    examples = to_text(frozen.examples)
    dense, pruned, made = (dsl.Model(uri=str(tmp_path / name)) for name in ("dense", "pruned", "made"))
    scores = dsl.Artifact(uri=str(tmp_path / "scores"))

    component("train")(examples, to_text(frozen.dense), dense)
    component("score_importance")(examples, to_text(frozen.importance), dense, scores)
    component("prune")(examples, to_text(frozen.variants[0]), dense, scores, pruned)
    component("finetune")(examples, pruned, dense, made)

    assert dense.metadata == {"name": "dense", "digest": layout.reading(dense.path, "variant").digest}
    assert scores.metadata == {"criteria": "magnitude-l1", "digest": layout.reading(scores.path, "scores").digest}
    for artifact, kind in ((pruned, "pruned"), (made, "variant")):
        found = layout.reading(artifact.path, kind)
        assert artifact.metadata == {
            "name": "magnitude-l1-global-0.50", "status": "ok", "reason": "", "digest": found.digest
        }  # fmt: skip
    assert layout.reading(made.path).inputs["dense"] == dense.metadata["digest"]
