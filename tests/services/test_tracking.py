"""The tree of runs is the same however often a task is repeated, and whoever opened runs around it."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy.orm import Session

from sentei.adapters.mlflow import tracking
from sentei.adapters.mlflow.connection import connect
from sentei.errors import ServiceError

HERE = Path(__file__).parent
CURVES = [{"step": step, "loss": f"{1 / (step + 1):.6f}"} for step in range(5)]
SUMMARY = {
    "name": "magnitude-l2-0.5",
    "status": "ok",
    "reason": "",
    "params": {"criterion": "magnitude-l2", "sparsity": "0.5"},
    "metrics": {"accuracy_selection": "0.975", "bytes": "12345"},
    "curves": CURVES,
    "tags": {"granularity": "weights"},
}


def open_run(key="run-1", **params):
    return tracking.open_run(
        key, "lenet", f"pipeline {key}", {"seed": "7", **params}, {"recipe.yaml": "model: lenet\n"}
    )


def runs(experiment="lenet"):
    client = connect()
    return client.search_runs([client.get_experiment_by_name(experiment).experiment_id])


@pytest.mark.usefixtures("local_mlflow")
class TestParent:
    def test_the_same_key_finds_the_same_run(self):
        first = open_run()
        tracking.close_run(first, "FAILED")

        assert open_run() == first
        assert open_run("run-2") != first
        assert len(runs()) == 2
        assert connect().get_run(first).info.status == "RUNNING"

    def test_a_run_that_failed_is_marked_and_opened_again_by_the_next_start(self):
        first = open_run()
        tracking.fail_run("run-1")
        assert connect().get_run(first).info.status == "FAILED"
        assert open_run() == first
        assert connect().get_run(first).info.status == "RUNNING"

    def test_a_run_that_has_ended_well_stays_as_it_is(self):
        first = open_run()
        tracking.close_run(first)
        tracking.fail_run("run-1")
        assert connect().get_run(first).info.status == "FINISHED"

    def test_a_run_that_was_never_opened_cannot_fail(self):
        tracking.fail_run("run-1")
        open_run()
        tracking.fail_run("run-2")
        assert [run.info.status for run in runs()] == ["RUNNING"]

    def test_it_holds_the_settings_and_the_recipe(self):
        run = connect().get_run(open_run())

        assert (run.data.params, run.info.run_name) == ({"seed": "7"}, "pipeline run-1")
        assert (Path(run.info.artifact_uri) / "recipe.yaml").read_text() == "model: lenet\n"
        assert Path(run.info.artifact_uri).is_relative_to(Path.cwd() / "mlartifacts")

    def test_other_settings_under_the_same_key_are_refused(self):
        open_run()

        with pytest.raises(ServiceError, match=r"expected parameter seed = '8', received '7'.*another key"):
            open_run(seed="8")

    def test_a_parameter_that_another_process_wrote_meanwhile_is_no_failure(self):
        """The other one commits after MLflow has looked for the parameter, and before it writes it."""
        meanwhile = []

        def write_first(session, context, instances):
            found = [row for row in session.new if type(row).__name__ == "SqlParam"]
            if found and not meanwhile:
                meanwhile.append(found[0].key)
                with closing(sqlite3.connect("mlflow.db")) as other, other:
                    other.execute("INSERT INTO params VALUES (?, ?, ?)", (found[0].key, "7", found[0].run_uuid))

        sqlalchemy.event.listen(Session, "before_flush", write_first)
        try:
            run = open_run()
        finally:
            sqlalchemy.event.remove(Session, "before_flush", write_first)

        assert (meanwhile, connect().get_run(run).data.params) == (["seed"], {"seed": "7"})

    def test_a_very_long_parameter_can_be_repeated(self):
        assert open_run(note="x" * 9000) == open_run(note="x" * 9000)

    def test_a_key_that_is_no_key_is_refused(self):
        with pytest.raises(ValueError, match="expected a run key"):
            open_run("it's")

    def test_a_deleted_experiment_is_named(self):
        open_run()
        client = connect()
        client.delete_experiment(client.get_experiment_by_name("lenet").experiment_id)

        with pytest.raises(ServiceError, match="expected experiment lenet to be active"):
            open_run()

    def test_a_run_that_kubeflow_opened_stays_as_it_is(self, monkeypatch):
        """The parent is one new run inside it, in its experiment, and later tasks find it from inside another one."""
        client = connect()
        place = client.create_experiment("kubeflow")
        tasks = [client.create_run(place, run_name=name) for name in ("plan", "evaluate")]
        found = []
        for task in tasks:
            monkeypatch.setenv("MLFLOW_RUN_ID", task.info.run_id)
            found.append(open_run())
        variant = tracking.record_variant(found[0], SUMMARY)

        assert found[0] == found[1]
        assert client.get_run(found[0]).data.tags["mlflow.parentRunId"] == tasks[0].info.run_id
        assert client.get_run(variant).data.tags["mlflow.parentRunId"] == found[0]
        assert client.get_run(tasks[0].info.run_id).data.params == {}
        assert len(runs("kubeflow")) == 4
        assert client.get_experiment_by_name("lenet") is None

    def test_its_start_is_told_the_same_every_time(self):
        parent = open_run()

        assert tracking.started_at(parent) == tracking.started_at(parent)
        assert len(tracking.started_at(parent)) == len("2026-01-31T12:00:00Z")


@pytest.mark.usefixtures("local_mlflow")
class TestVariant:
    def test_everything_of_the_summary_is_there(self):
        parent = open_run()
        run = connect().get_run(tracking.record_variant(parent, SUMMARY))

        assert run.data.params == SUMMARY["params"]
        assert run.data.metrics == {"accuracy_selection": 0.975, "bytes": 12345.0, "loss": 0.2}
        assert run.data.tags["sentei.status"] == "ok"
        assert run.data.tags["granularity"] == "weights"
        assert (run.info.status, run.info.run_name) == ("FINISHED", SUMMARY["name"])
        assert run.data.tags["mlflow.parentRunId"] == parent

    def test_a_repeated_task_adds_nothing(self):
        parent = open_run()
        first = tracking.record_variant(parent, {**SUMMARY, "curves": CURVES[:2]})
        for _ in range(3):
            assert tracking.record_variant(parent, SUMMARY) == first

        history = connect().get_metric_history(first, "loss")
        assert [(point.step, point.value) for point in history] == [
            (0, 1.0), (1, 0.5), (2, 0.333333), (3, 0.25), (4, 0.2)
        ]  # fmt: skip
        assert len(connect().get_metric_history(first, "bytes")) == 1
        assert len(runs()) == 2

    def test_a_number_that_was_measured_again_is_the_one_that_shows(self):
        parent = open_run()
        run = tracking.record_variant(parent, {**SUMMARY, "metrics": {"latency_ms": "3.5"}})
        tracking.record_variant(parent, {**SUMMARY, "metrics": {"latency_ms": "2.5"}})

        assert connect().get_run(run).data.metrics["latency_ms"] == 2.5

    def test_more_points_than_one_request_takes(self):
        curves = [{"step": step, "a": "1", "b": "2", "c": "nan"} for step in range(700)]
        run = tracking.record_variant(open_run(), {"name": "long", "curves": curves})

        assert [len(connect().get_metric_history(run, name)) for name in "abc"] == [700, 700, 700]

    def test_a_failed_variant_says_why(self):
        summary = {"name": "all-pruned", "status": "failed", "reason": "layer conv1 would vanish " * 1000}
        run = connect().get_run(tracking.record_variant(open_run(), summary))

        assert run.data.tags["sentei.status"] == "failed"
        assert run.data.tags["sentei.reason"].startswith("layer conv1 would vanish")

    def test_one_name_for_two_things_is_refused(self):
        with pytest.raises(ValueError, match=r"received both for \['loss'\]"):
            tracking.record_variant(open_run(), {**SUMMARY, "metrics": {"loss": "1"}})

    def test_four_processes_at_once_lose_and_double_nothing(self):
        open_run("first")
        script = [sys.executable, str(HERE / "recorded_at_once.py"), "4"]
        done = subprocess.run(script, capture_output=True, text=True)

        assert (done.returncode, done.stderr) == (0, "")
        names = [f"{kind}-{number}" for kind in ("own", "second") for number in range(4)]
        (parent,) = (run.info.run_id for run in runs("experiment") if "sentei.run_key" in run.data.tags)
        tracking.record_verdicts(parent, dict.fromkeys(names, "certified"))
        found = [run for run in runs("experiment") if "sentei.variant" in run.data.tags]
        assert sorted(run.data.tags["sentei.variant"] for run in found) == sorted([*names, "everybody's"])
        for run in found:
            assert [point.step for point in connect().get_metric_history(run.info.run_id, "loss")] == list(range(50))


@pytest.mark.usefixtures("local_mlflow")
class TestDecision:
    def test_verdicts_stand_on_the_variants(self):
        parent = open_run()
        names = {name: tracking.record_variant(parent, {**SUMMARY, "name": name}) for name in ("a", "b", "it's")}

        tracking.record_verdicts(parent, {"a": "certified", "b": "not tested", "it's": "refused"})

        tags = {name: connect().get_run(run).data.tags["sentei.verdict"] for name, run in names.items()}
        assert tags == {"a": "certified", "b": "not tested", "it's": "refused"}

    def test_a_verdict_about_an_unknown_variant_is_refused(self):
        parent = open_run()
        tracking.record_variant(parent, {**SUMMARY, "name": "a"})

        with pytest.raises(ServiceError, match=r"received none for \['b'\]"):
            tracking.record_verdicts(parent, {"a": "certified", "b": "refused"})
        with pytest.raises(ValueError, match="expected verdicts among"):
            tracking.record_verdicts(parent, {"a": "passed"})

    def test_the_decision_stands_on_the_parent(self, tmp_path):
        parent = open_run()
        (tmp_path / "verdict").mkdir()
        (tmp_path / "verdict" / "certificate.json").write_text("{}\n")
        facts = {"tags": {"sentei.verdict": "certified"}, "metrics": {"accuracy_test": "0.97"}}
        files = {
            "report.md": "# Certified\n",
            "verdict": tmp_path / "verdict",
            "again/certificate.json": tmp_path / "verdict" / "certificate.json",
        }
        for _ in range(2):
            tracking.record_decision(parent, facts, files)
        tracking.close_run(parent)

        run = connect().get_run(parent)
        kept = Path(run.info.artifact_uri)
        assert sorted(str(path.relative_to(kept)) for path in kept.rglob("*") if path.is_file()) == [
            "again/certificate.json", "recipe.yaml", "report.md", "verdict/certificate.json"
        ]  # fmt: skip
        assert run.data.tags["sentei.verdict"] == "certified"
        assert run.data.metrics == {"accuracy_test": 0.97}
        assert run.info.status == "FINISHED"


@pytest.mark.timeout(60)
def test_a_server_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:hush@127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")

    with pytest.raises(ServiceError, match=r"MLflow at http://127\.0\.0\.1:9 .*check MLFLOW_TRACKING_URI") as failure:
        open_run()

    assert "hush" not in str(failure.value)
