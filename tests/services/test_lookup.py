"""A run that was submitted elsewhere is found in MLflow by its key."""

import pytest

from sentei.adapters.mlflow.lookup import recorded
from sentei.adapters.mlflow.tracking import open_run, record_decision


@pytest.fixture
def database(local_mlflow, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{local_mlflow}/mlflow.db")
    return local_mlflow


def test_a_run_is_found_in_whichever_experiment_has_it_with_its_verdict(database):
    run_id = open_run("tiny-1", "by-plugin", "tiny", {})
    assert recorded("tiny-1").verdict == ""
    record_decision(run_id, {"tags": {"sentei.verdict": "refused", "sentei.reason": "the bound is above 0.1"}}, {})
    found = recorded("tiny-1")
    assert (found.verdict, found.reason) == ("refused", "the bound is above 0.1")
    assert found.address.endswith(f"mlflow.db, run {run_id}")


def test_a_key_that_nobody_opened_is_nowhere(database):
    open_run("tiny-1", "tiny", "tiny", {})
    assert recorded("tiny-2") is None


def test_without_a_server_nothing_is_asked_and_no_database_is_made(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    assert recorded("tiny-1") is None
    assert list(tmp_path.iterdir()) == []
