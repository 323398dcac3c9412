"""One tree of runs in each mode of Kubeflow's own MLflow plugin, whatever was killed and started again."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml
from mlflow import MlflowClient

from sentei.adapters.mlflow import tracking
from sentei.errors import ServiceError
from tests.pipeline.place import RECIPE, Place
from tests.services.kubeflow_plugin import PARENT, Plugin

ROOT = Path(__file__).resolve().parents[2]
FAMILY = [{"sparsity": 0.3}, {"sparsity": 0.95}]
SHOWN = ["dense", "magnitude-l1-global-0.30", "magnitude-l1-global-0.95"]


@pytest.fixture(scope="module")
def ran(mlflow_server, tmp_path_factory):
    """What the three pipeline runs tell of themselves, by mode."""
    place = Place(tmp_path_factory.mktemp("modes"))
    place.write_rows()
    recipe = RECIPE | {"name": "modes", "train": {"epochs": 6, "batch_size": 64}, "family": {"variants": FAMILY}}
    (place.folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    done = subprocess.run(
        [sys.executable, "-m", "tests.services.killed_pipeline", str(place.folder), mlflow_server],
        cwd=place.folder,
        env={**environment, "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def client(mlflow_server):
    return MlflowClient(mlflow_server)


def runs_of(client, experiment):
    return client.search_runs([client.get_experiment_by_name(experiment).experiment_id])


def ours(client, experiment, pipeline_run):
    runs = runs_of(client, experiment)
    (parent,) = (run for run in runs if run.data.tags.get("sentei.run_key") == pipeline_run)
    return parent, [run for run in runs if run.data.tags.get(PARENT) == parent.info.run_id]


@pytest.mark.parametrize("mode", ["environment", "no environment"])
def test_with_the_plugin_our_runs_are_one_branch_of_its_tree(ran, client, mode):
    told, experiment = ran[mode], f"plugin {mode}"
    parent, nested = ours(client, experiment, told["id"])

    assert parent.data.tags[PARENT] == told["root"]
    assert parent.data.tags["kfp.pipeline_run_url"].endswith(told["id"])
    assert sorted(run.data.tags["sentei.variant"] for run in nested) == SHOWN
    assert [run.info.run_id for run in runs_of(client, experiment) if PARENT not in run.data.tags] == [told["root"]]
    assert parent.data.tags["sentei.verdict"] == "certified"


@pytest.mark.parametrize("mode", ["environment", "no environment"])
def test_the_plugin_s_own_runs_are_as_it_made_them(ran, client, mode):
    """One for each start by a driver, none of them with anything of ours inside, none used for something else."""
    told, experiment = ran[mode], f"plugin {mode}"
    parent, nested = ours(client, experiment, told["id"])
    mine = {parent.info.run_id, *(run.info.run_id for run in nested), told["root"]}
    tasks = {run.info.run_id: run for run in runs_of(client, experiment) if run.info.run_id not in mine}

    assert Counter(run.info.run_name for run in tasks.values()) == {
        **dict.fromkeys(("plan", "family", "for-loop-1", "calibrate", "test", "test-dense", "register"), 1),
        "evaluate": 4,
    }
    assert {run.data.tags[PARENT] for run in tasks.values()} <= {told["root"], *tasks}
    assert all(set(run.data.params) <= {"parent"} and not run.data.metrics for run in tasks.values())


@pytest.mark.parametrize("mode", ["environment", "no environment"])
def test_our_run_is_open_while_the_pipeline_is_at_work_and_ends_as_it_ends(ran, client, mode):
    """The plugin closes what is nested in a task's run with the task; ours would have been finished after plan."""
    told = ran[mode]
    parent, nested = ours(client, f"plugin {mode}", told["id"])

    assert (told["after_plan"], told["failed"]) == ("RUNNING", "FAILED")
    assert {run.info.status for run in (parent, *nested)} == {"FINISHED"}


def test_without_the_plugin_the_tree_is_ours(ran, client):
    told = ran["none"]
    parent, nested = ours(client, "modes", told["id"])

    assert len(runs_of(client, "modes")) == 1 + len(SHOWN)
    assert PARENT not in parent.data.tags
    assert sorted(run.data.tags["sentei.variant"] for run in nested) == SHOWN
    assert {run.info.status for run in (parent, *nested)} == {"FINISHED"}
    assert parent.data.tags["sentei.pipeline_run"] == told["id"]


def test_a_task_that_knows_its_run_says_which(ran, client):
    parent, nested = ours(client, "plugin environment", ran["environment"]["id"])
    names = {run.info.run_id: run.info.run_name for run in runs_of(client, "plugin environment")}

    assert names[parent.data.tags["sentei.task_run"]] == "plan"
    assert {names[run.data.tags["sentei.task_run"]] for run in nested} == {"evaluate"}


@pytest.fixture
def plugin(mlflow_server, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_server)
    plugin = Plugin(mlflow_server, "failing", gives_environment=True)
    plugin.on_run_start("failing-run")
    return plugin


def test_a_run_inside_the_plugin_s_is_marked_as_failed_and_found_without_the_environment(plugin, client, monkeypatch):
    monkeypatch.setenv("MLFLOW_RUN_ID", plugin.on_task_start("plan"))
    parent = tracking.open_run("key-of-failing", "lenet", "run", {}, pipeline_run="failing-run")
    monkeypatch.delenv("MLFLOW_RUN_ID")

    tracking.fail_run("key-of-failing")

    assert client.get_run(parent).info.status == "FAILED"
    assert client.get_run(plugin.root).info.status == "RUNNING"
    assert tracking.open_run("key-of-failing", "lenet", "run", {}) == parent


def test_a_run_that_this_mlflow_does_not_know_is_named(plugin, monkeypatch):
    monkeypatch.setenv("MLFLOW_RUN_ID", "f" * 32)

    with pytest.raises(ServiceError, match=r"MLFLOW_RUN_ID: expected a run of this MLflow, received f+, .* or unset"):
        tracking.open_run("another-key", "lenet", "run", {})
