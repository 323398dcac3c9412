"""The same through an MLflow server that keeps its artifacts on S3, and what serving loads from it."""

import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import onnxruntime
import pytest

from sentei.adapters.mlflow import tracking
from sentei.adapters.mlflow.connection import connect
from sentei.adapters.mlflow.registry import register
from sentei.steps.layout import reading

# A process of its own, as serving is: it knows MLflow and nothing of sentei.
PREDICT = """
import json, sys
import mlflow, numpy as np
model = mlflow.pyfunc.load_model("models:/lenet@champion")
rows = np.array(json.loads(sys.argv[1]), dtype=np.uint8)
print(json.dumps(model.predict(rows)["logits"].tolist()))
"""


@pytest.fixture
def server(mlflow_server, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_server)
    monkeypatch.delenv("MLFLOW_RUN_ID", raising=False)
    return mlflow_server


def test_a_release_through_a_server(server, raw_s3, make_bundle):
    bundle = make_bundle()
    curves = [{"step": 0, "loss": "0.5"}, {"step": 1, "loss": "0.25"}]
    for _ in range(2):
        parent = tracking.open_run("run-1", "server", "run", {"seed": "7"}, {"recipe.yaml": "model: lenet\n"})
        variant = tracking.record_variant(parent, {"name": "a", "metrics": {"bytes": "5"}, "curves": curves})
        tracking.record_verdicts(parent, {"a": "certified"})
        tracking.record_decision(parent, {"tags": {"sentei.verdict": "certified"}}, {"bundle": bundle})
        result = register(bundle, parent)
        tracking.close_run(parent)

    assert (result.version, result.aliases) == ("1", ("certified", "champion"))
    assert [point.value for point in connect().get_metric_history(variant, "loss")] == [0.5, 0.25]
    assert len(connect().search_runs([connect().get_experiment_by_name("server").experiment_id])) == 2

    experiment = connect().get_experiment_by_name("server").experiment_id
    (model,) = connect().search_logged_models([experiment])
    keys = [one["Key"] for one in raw_s3.list_objects_v2(Bucket="mlflow-artifacts")["Contents"]]
    (kept,) = [key for key in keys if key.endswith(f"/{model.model_id}/artifacts/model.onnx")]
    body = raw_s3.get_object(Bucket="mlflow-artifacts", Key=kept)["Body"].read()
    assert hashlib.sha256(body).hexdigest() == reading(bundle).files["model/model.onnx"]

    rows = np.random.default_rng(0).integers(0, 256, size=(5, 2, 2), dtype=np.uint8)
    env = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}
    served = subprocess.run(
        [sys.executable, "-c", PREDICT, json.dumps(rows.tolist())], capture_output=True, text=True, env=env, check=True
    )
    direct = onnxruntime.InferenceSession(bundle / "model/model.onnx", providers=["CPUExecutionProvider"])
    assert json.loads(served.stdout) == direct.run(None, {"rows": rows})[0].tolist()
