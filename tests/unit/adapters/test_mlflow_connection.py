"""Where runs are kept, and what is said when that does not work."""

import subprocess
import sys

import pytest

from sentei.adapters.mlflow.connection import artifact_root, asking, tracking_uri
from sentei.errors import ServiceError


def test_runs_are_kept_in_the_working_directory_by_default(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)

    assert tracking_uri() == f"sqlite:///{tmp_path}/mlflow.db"
    assert artifact_root() == f"{tmp_path}/mlartifacts"


@pytest.mark.parametrize(
    ("uri", "root"),
    [("http://mlflow:5000", None), ("postgresql://db/mlflow", None), ("sqlite:////srv/runs.db", "/srv/mlartifacts")],
)
def test_a_server_decides_where_its_artifacts_go(monkeypatch, uri, root):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)

    assert artifact_root() == root


def test_a_password_in_the_address_is_not_repeated(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://me:hush@mlflow.example")

    with (
        pytest.raises(ServiceError, match=r"asked MLflow at https://mlflow\.example to open it") as failure,
        asking("open it"),
    ):
        raise ConnectionError("no answer from https://me:hush@mlflow.example/api")

    assert "hush" not in str(failure.value)


def test_our_own_mistakes_are_not_called_the_service_s():
    with pytest.raises(KeyError), asking("open it"):
        {}["missing"]


def test_importing_the_adapters_imports_no_mlflow():
    """Steps that record nothing do not pay for MLflow's import."""
    code = (
        "import sys, sentei.adapters.mlflow.tracking, sentei.adapters.mlflow.registry;"
        "sys.exit(','.join({'mlflow', 'pandas', 'sqlalchemy', 'onnx', 'torch'} & sys.modules.keys()) or None)"
    )

    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
