"""``sentei submit`` sends a recipe whose pipeline then runs: what is printed, and what the exit code says."""

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.services.kubeflow.recipe import cluster_recipe, write
from tests.services.kubeflow.server import Kubeflow

# Whole pipelines, which others may slow down.
pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(1800)]


def heed_interrupts():
    """What a shell starts in the background ignores Ctrl-C, and hands that on; a terminal's commands do not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@dataclass
class Cluster:
    """A server that runs pipelines, and a machine that submits to it."""

    kubeflow: Kubeflow
    folder: Path
    environment: dict

    def sentei(self, *arguments):
        command = [sys.executable, "-m", "sentei.cli", *arguments, "--host", self.kubeflow.url]
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=heed_interrupts,  # noqa: PLW1509  # one signal is set, no lock is taken
        )

    def ended(self, *arguments):
        process = self.sentei(*arguments)
        out, err = process.communicate()
        return process.returncode, out, err


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cluster")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "SENTEI_", "KF_"))}
    kubeflow = Kubeflow(folder / "runs")
    kubeflow.runs_ir = True
    yield Cluster(kubeflow, folder, kept)
    kubeflow.close()


@pytest.fixture(scope="module")
def certified(cluster, template_database):
    """A run that was submitted and followed to its end; the server's MLflow plugin says where to record."""
    volume = cluster.folder / "volume"
    volume.mkdir()
    shutil.copy(template_database, volume / "mlflow.db")
    tracking = {"MLFLOW_TRACKING_URI": f"sqlite:///{volume}/mlflow.db"}
    cluster.kubeflow.plugin_environment = tracking
    cluster.environment |= tracking
    recipe = write(cluster.folder, cluster_recipe(volume, tracking=None))
    return cluster.ended("submit", recipe, "--interval", "0.5", "--mlflow-by-plugin")


def test_a_submitted_recipe_ends_with_its_verdict_and_both_links(cluster, certified):
    code, out, err = certified
    assert code == 0, out + err
    (run,) = cluster.kubeflow.runs.values()
    assert f"in Kubeflow:     {cluster.kubeflow.url}/#/runs/details/{run.run_id}" in out
    assert "in MLflow:       https://mlflow.example/#/experiments/1/runs/2" in out
    assert run.plugins_input == {"mlflow": {"experiment_name": "digits-small"}}
    assert (run.service_account, run.runtime_config.parameters["run_key"]) == ("sentei", run.display_name)
    assert re.search(r"^certified: ", out, re.MULTILINE), out
    assert re.search(rf"^in MLflow:       sqlite:///{cluster.folder}/volume/mlflow.db, run \w+$", out, re.MULTILINE), (
        out
    )


def test_every_task_is_shown_from_running_to_done_and_nothing_that_is_none(certified):
    _, out, _ = certified
    for task in ("plan", "train", "score-importance", "prune", "finetune", "calibrate", "register"):
        assert re.search(rf"^  {task}: done, \d+ s$", out, re.MULTILINE), out
    assert "driver" not in out


def test_the_bundle_of_a_submitted_run_verifies(cluster, certified):
    (bundle,) = (cluster.folder / "volume" / "released").iterdir()
    command = [sys.executable, "-m", "sentei.cli", "verify", str(bundle)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_failed_task_ends_with_the_code_of_its_cause_and_the_same_command_continues_under_its_key(cluster):
    volume = cluster.folder / "empty"
    volume.mkdir()
    data = cluster_recipe(volume)["data"] | {"source": "npz", "path": f"{volume}/rows.npz"}
    recipe = write(cluster.folder, cluster_recipe(volume, name="no-rows", data=data), "no-rows.yaml")
    code, out, err = cluster.ended("submit", recipe, "--interval", "0.3")
    assert code == 5, out + err
    assert "DataError: the run failed at: plan" in err
    assert "rows.npz" in err
    code, again, _ = cluster.ended("submit", recipe, "--no-wait")
    assert code == 0
    assert "continues one that stopped" in again
    keys = [one.runtime_config.parameters["run_key"] for one in cluster.kubeflow.runs.values()]
    ours = [key for key in keys if key.startswith("no-rows")]
    assert len(ours) == 2
    assert len(set(ours)) == 1


def test_a_refusal_is_a_result_and_the_exit_code_says_no_more_than_that(cluster, certified):
    hopeless = {"family": {"variants": [{"sparsity": 0.99}]}, "claim": {"kind": "accuracy_drop", "epsilon": 0}}
    recipe = write(cluster.folder, cluster_recipe(cluster.folder / "volume", None, **hopeless), "hopeless.yaml")
    before = list((cluster.folder / "volume" / "released").iterdir())
    code, out, err = cluster.ended("submit", recipe, "--interval", "0.3", "--mlflow-by-plugin")
    assert code == 0, out + err
    assert re.search("^refused: nothing was certified: ", out, re.MULTILINE), out
    assert list((cluster.folder / "volume" / "released").iterdir()) == before


def test_a_run_that_fails_while_it_is_watched_is_failed_in_mlflow_too(cluster, certified):
    steep = {"name": "steep", "train": {"epochs": 5, "learning_rate": 1000, "batch_size": 16}}
    recipe = write(cluster.folder, cluster_recipe(cluster.folder / "volume", None, **steep), "steep.yaml")
    code, out, err = cluster.ended("submit", recipe, "--interval", "0.3", "--mlflow-by-plugin")
    assert code == 4, out + err
    assert "ModelError: the run failed at: train" in err
    assert "training diverged" in err
    asked = "select run_uuid, status from runs join experiments using (experiment_id) where experiments.name = 'steep'"
    with sqlite3.connect(cluster.folder / "volume" / "mlflow.db") as database:
        ((recorded, status),) = database.execute(asked)
        assert status == "FAILED"
        database.execute("update runs set status = 'RUNNING' where run_uuid = ?", (recorded,))
    (failed,) = (key for key, one in cluster.kubeflow.runs.items() if one.display_name.startswith("steep"))
    code, _, err = cluster.ended("follow", failed)
    assert (code, "ModelError: the run failed at: train" in err) == (4, True)
    with sqlite3.connect(cluster.folder / "volume" / "mlflow.db") as database:  # somebody has continued it
        assert database.execute(asked).fetchall() == [(recorded, "RUNNING")]


def test_a_schedule_that_fires_tests_the_served_champion_again(cluster, certified):
    recipe = write(cluster.folder, cluster_recipe(cluster.folder / "volume", None), "again.yaml")
    code, out, err = cluster.ended("schedule", recipe, "--every", "7d", "--pipeline", "recertify", "--mlflow-by-plugin")
    assert code == 0, out + err
    (recurring,) = cluster.kubeflow.recurring.values()
    run = cluster.kubeflow.fire(recurring)
    code, out, err = cluster.ended("follow", run.run_id, "--interval", "0.3")
    assert code == 0, out + err
    for task in ("fetch-champion", "retest", "conclude"):
        assert re.search(rf"^  {task}: done, \d+ s$", out, re.MULTILINE), out
    with sqlite3.connect(cluster.folder / "volume" / "mlflow.db") as database:
        told = database.execute("select value from model_version_tags where key = 'recertification'")
        assert told.fetchall() == [("recertified",)]


def test_ctrl_c_leaves_the_run_running_and_says_how_to_follow_it(cluster):
    cluster.kubeflow.runs_ir = False
    try:
        recipe = write(cluster.folder, cluster_recipe(cluster.folder, name="waiting"), "waiting.yaml")
        process = cluster.sentei("submit", recipe, "--interval", "0.1")
        line = ""
        while "in Kubeflow" not in line:
            line = process.stdout.readline()
            assert line, process.communicate()
        run_id = line.rpartition("/")[2].strip()
        while not cluster.kubeflow.asked(f"GET .*/runs/{run_id}"):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
        assert process.returncode == 130
        assert re.search(
            rf"the run goes on; follow it with: .*sentei follow {run_id} --host {cluster.kubeflow.url}", err
        )
        assert cluster.kubeflow.runs[run_id].state == "PENDING"
    finally:
        cluster.kubeflow.runs_ir = True
