"""Real servers for the service tests: S3 (moto) and MLflow, each on a free port of 127.0.0.1."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
import uuid
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.error import HTTPError, URLError

import boto3
import pytest
from onnx import TensorProto, helper

from sentei.certificate.canonical import sha256_hex
from sentei.steps import layout
from tests.certified_run import CLAIM, certified_run
from tests.once import once

AWS = {
    "AWS_ACCESS_KEY_ID": "test-key",
    "AWS_SECRET_ACCESS_KEY": "test-secret-that-no-message-shows",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GIT_PYTHON_REFRESH": "quiet",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def served(command: list[str], url: str, log: Path, env: dict[str, str]):
    """A server that answers at ``url``; ended with everything that it started."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            stdout=out,
            stderr=out,
            env={**os.environ, **env},
            start_new_session=True,
        )
        try:
            until_it_answers(process, url, log)
            yield
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def until_it_answers(process: subprocess.Popen, url: str, log: Path) -> None:
    for _ in range(1200):
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (URLError, ConnectionError, TimeoutError) as error:
            if isinstance(error, HTTPError) and error.code < 500:  # it answers, though not to everybody
                return
            try:
                process.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
            break
    pytest.fail(f"{url} did not come up:\n{log.read_text()[-3000:]}")


@pytest.fixture(scope="session")
def s3_endpoint(tmp_path_factory):
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    log = tmp_path_factory.mktemp("s3") / "log"
    with served([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], url, log, AWS):
        yield url


@pytest.fixture(scope="session")
def raw_s3(s3_endpoint):
    """A client of its own, so that what sentei wrote is looked at by something else."""
    return boto3.session.Session(AWS["AWS_ACCESS_KEY_ID"], AWS["AWS_SECRET_ACCESS_KEY"]).client(
        "s3", endpoint_url=s3_endpoint, region_name=AWS["AWS_DEFAULT_REGION"]
    )


@pytest.fixture
def bucket(s3_endpoint, raw_s3, monkeypatch):
    """Name of a new bucket with versions kept, on the server that the environment names."""
    for name, value in {**AWS, "AWS_ENDPOINT_URL": s3_endpoint}.items():
        monkeypatch.setenv(name, value)
    name = f"test-{uuid.uuid4().hex}"
    raw_s3.create_bucket(Bucket=name)
    raw_s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


@pytest.fixture(scope="session")
def template_database(tmp_path_factory):
    """An MLflow database with its tables: making one takes seconds, copying it none."""
    made = "import sys; from mlflow import MlflowClient; MlflowClient(sys.argv[1])"

    def make(folder: Path) -> None:
        command = [sys.executable, "-c", made, f"sqlite:///{folder / 'mlflow.db'}"]
        subprocess.run(command, check=True, capture_output=True, env={**os.environ, **QUIET})

    return once(tmp_path_factory, "mlflow-template", make) / "mlflow.db"


@pytest.fixture
def local_mlflow(template_database, tmp_path, monkeypatch):
    """The working directory of a laptop, whose runs are kept in ``mlflow.db``."""
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID"):
        monkeypatch.delenv(name, raising=False)
    shutil.copy(template_database, tmp_path / "mlflow.db")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def mlflow_server(s3_endpoint, raw_s3, template_database, tmp_path_factory):
    """URL of an MLflow server whose artifacts pass through it to S3."""
    folder, port = tmp_path_factory.mktemp("mlflow"), free_port()
    shutil.copy(template_database, folder / "mlflow.db")
    raw_s3.create_bucket(Bucket="mlflow-artifacts")
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"]
    command += ["--artifacts-destination", "s3://mlflow-artifacts/root"]
    env = {**AWS, **QUIET, "MLFLOW_S3_ENDPOINT_URL": s3_endpoint}
    with served(command, f"{url}/health", folder / "log", env):
        yield url


def network(weights: list[float]) -> bytes:
    """An ONNX network from uint8 rows (n, 2, 2) to three logits."""
    nodes = [
        helper.make_node("Cast", ["rows"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["numbers", "flat"], ["vectors"]),
        helper.make_node("MatMul", ["vectors", "weights"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("rows", TensorProto.UINT8, ["n", 2, 2])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 3])],
        [
            helper.make_tensor("flat", TensorProto.INT64, [2], [-1, 4]),
            helper.make_tensor("weights", TensorProto.FLOAT, [4, 3], weights),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9).SerializeToString()


def issued(claim, seed: int, served: bytes, entry=None):
    """The record of a small run whose every variant is served by these bytes; another seed, another record."""
    run, digest = certified_run(claim, entry=entry), sha256_hex(served)
    variants = {name: replace(one, served_sha256=digest) for name, one in run.evidence.variants.items()}
    circumstances = replace(run.circumstances, issued_at=f"2026-01-31T12:00:{seed:02d}Z")
    return replace(run, evidence=replace(run.evidence, variants=variants), circumstances=circumstances).record()


@pytest.fixture
def make_bundle(tmp_path):
    """Builds release bundles; what differs from the usual one is named."""

    def build(folder="bundle", *, seed=0, claim=CLAIM, served=None, kept=None, entry=None, n_bytes=0, **facts) -> Path:
        served = served or network([float(i + seed) for i in range(12)])
        record = issued(claim, seed, served, entry)
        with layout.writing(tmp_path / folder, "bundle") as draft:
            draft.write("certificate.json", record.to_json())
            draft.write("model/model.onnx", kept or served)
            draft.write_json("model/architecture.json", {"name": "net"})
            draft.write("model/weights.safetensors", b"weights %d" % seed + os.urandom(n_bytes))
            draft.write_json("evidence/rows.json", list(range(100)))
            draft.facts |= {
                "name": "lenet",
                "claim": {"kind": claim.kind, "tolerance": claim.tolerance, "delta": claim.delta},
                "n": "600",
                "cost": {"name": "bytes", "value": "5000"},
                "certificate_sha256": sha256_hex(record.to_json()),
                "dense_digest": record.dense.digest,
                "description": "# LeNet\n\nAt most 2 points below the dense network.",
                **facts,
            }
        return tmp_path / folder

    return build
