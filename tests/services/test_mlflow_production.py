"""MLflow as it is installed for many: PostgreSQL, artifacts on S3, passwords, a list of host names, webhooks."""

import hashlib
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import requests
from cryptography.fernet import Fernet
from mlflow import MlflowClient

from sentei.adapters.mlflow import tracking
from sentei.adapters.mlflow.connection import connect
from sentei.adapters.mlflow.registry import register
from sentei.adapters.mlflow.webhook import read_event
from sentei.errors import ServiceError
from sentei.steps.layout import reading
from tests.services.conftest import AWS, QUIET, free_port, served

HERE = Path(__file__).parent
ADMIN, TRAINER, READER = ("admin", "administers-here-1"), ("trainer", "trains-here-12"), ("reader", "reads-here-123")
# A process of its own, as serving is: it knows MLflow and nothing of sentei.
PREDICT = """
import json, sys
import mlflow, numpy as np
model = mlflow.pyfunc.load_model("models:/guarded@champion")
rows = np.array(json.loads(sys.argv[1]), dtype=np.uint8)
print(json.dumps(model.predict(rows)["logits"].tolist()))
"""
# Asked for once a minute, not at every request: comparing a password is slow on purpose.
AUTH = """[mlflow]
default_permission = READ
database_uri = sqlite:///{folder}/users.db
admin_username = admin
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
auth_cache_ttl_seconds = 60
"""
SECRET = "known-to-sender-and-receiver"


def postgres_program(name: str) -> str:
    """Where one of PostgreSQL's programs stands; Debian keeps most of them off the path, and root installs them."""
    for attempt in range(2):
        on_path = [found] if (found := shutil.which(name)) else []
        if standing := on_path + sorted(map(str, Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))):
            return standing[-1]
        if not attempt:
            subprocess.run(["apt-get", "update", "-qq"], check=True)
            install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "postgresql"]
            subprocess.run(install, check=True, stdout=subprocess.DEVNULL)
    raise FileNotFoundError(name)


@contextmanager
def postgres():
    """URI of a database server; a folder of its own under /tmp, because root's are closed to the user postgres."""
    as_user = {"user": "postgres", "group": "postgres"} if os.getuid() == 0 else {}
    initdb, control = postgres_program("initdb"), postgres_program("pg_ctl")
    port, quiet = free_port(), {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": "/", **as_user}
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:
        if as_user:
            shutil.chown(folder, **as_user)
        data = f"{folder}/data"
        subprocess.run([initdb, "-D", data, "-U", "mlflow", "--auth=trust", "--no-sync"], check=True, **quiet)
        settings = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        start = [control, "-D", data, "-w", "-t", "300", "-o", settings, "-l", f"{folder}/log", "start"]
        subprocess.run(start, check=True, **quiet)
        try:
            yield f"postgresql://mlflow@127.0.0.1:{port}/postgres"
        finally:
            subprocess.run([control, "-D", data, "-m", "immediate", "stop"], check=True, **quiet)


@pytest.fixture(scope="module")
def server(s3_endpoint, raw_s3, tmp_path_factory):
    """URL of the server, which answers to 127.0.0.1 and to no other name."""
    folder, port = tmp_path_factory.mktemp("production"), free_port()
    raw_s3.create_bucket(Bucket="production-artifacts")
    with postgres() as database:
        (folder / "auth.ini").write_text(AUTH.format(folder=folder))
        command = [sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth", "--workers", "1"]
        command += ["--host", "127.0.0.1", "--port", str(port), "--allowed-hosts", f"127.0.0.1:{port}"]
        command += ["--backend-store-uri", database, "--artifacts-destination", "s3://production-artifacts/root"]
        env = {
            **AWS,
            **QUIET,
            "MLFLOW_S3_ENDPOINT_URL": s3_endpoint,
            "MLFLOW_AUTH_CONFIG_PATH": str(folder / "auth.ini"),
            "MLFLOW_AUTH_ADMIN_PASSWORD": ADMIN[1],
            "MLFLOW_FLASK_SERVER_SECRET_KEY": "signs-forms",
            "MLFLOW_WEBHOOK_CACHE_TTL": "0",
            "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http,https",
            "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true",
            "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY": Fernet.generate_key().decode(),
        }
        with served(command, f"http://127.0.0.1:{port}/health", folder / "log", env):
            for name, password in (TRAINER, READER):
                user, users = {"username": name, "password": password}, "api/2.0/mlflow/users/create"
                requests.post(f"http://127.0.0.1:{port}/{users}", json=user, auth=ADMIN, timeout=300).raise_for_status()
            yield f"http://127.0.0.1:{port}"


@contextmanager
def identified(user):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_USERNAME", user[0])
        patch.setenv("MLFLOW_TRACKING_PASSWORD", user[1])
        yield


@pytest.fixture
def as_trainer(server, monkeypatch):
    """Somebody who is no administrator: what he makes is his."""
    for name in ("MLFLOW_RUN_ID", "MLFLOW_TRACKING_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    with identified(TRAINER):
        yield server


def test_a_release_with_a_user_s_password_and_what_serving_loads_of_it(as_trainer, raw_s3, make_bundle):
    bundle = make_bundle(name="guarded")
    curves = [{"step": 0, "loss": "0.5"}, {"step": 1, "loss": "0.25"}]
    for _ in range(2):
        parent = tracking.open_run("guarded", "guarded", "run", {"seed": "7"}, {"recipe.yaml": "model: lenet\n"})
        variant = tracking.record_variant(parent, {"name": "a", "metrics": {"bytes": "5"}, "curves": curves})
        tracking.record_verdicts(parent, {"a": "certified"})
        tracking.record_decision(parent, {"tags": {"sentei.verdict": "certified"}}, {"bundle": bundle})
        result = register(bundle, parent)
        tracking.close_run(parent)

    client = connect()
    assert (result.version, result.aliases) == ("1", ("certified", "champion"))
    assert [point.value for point in client.get_metric_history(variant, "loss")] == [0.5, 0.25]
    experiment = client.get_experiment_by_name("guarded").experiment_id
    assert len(client.search_runs([experiment])) == 2

    (model,) = client.search_logged_models([experiment])
    keys = [one["Key"] for one in raw_s3.list_objects_v2(Bucket="production-artifacts")["Contents"]]
    (kept,) = [key for key in keys if key.endswith(f"/{model.model_id}/artifacts/model.onnx")]
    body = raw_s3.get_object(Bucket="production-artifacts", Key=kept)["Body"].read()
    assert hashlib.sha256(body).hexdigest() == reading(bundle).files["model/model.onnx"]

    rows = np.random.default_rng(0).integers(0, 256, size=(5, 2, 2), dtype=np.uint8)
    env = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}
    served = subprocess.run(
        [sys.executable, "-c", PREDICT, json.dumps(rows.tolist())], capture_output=True, text=True, env=env, check=True
    )
    direct = onnxruntime.InferenceSession(bundle / "model/model.onnx", providers=["CPUExecutionProvider"])
    assert json.loads(served.stdout) == direct.run(None, {"rows": rows})[0].tolist()


def test_eight_processes_at_once_lose_and_double_nothing(as_trainer):
    script = [sys.executable, str(HERE / "recorded_at_once.py"), "8"]
    done = subprocess.run(script, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")

    client = connect()
    experiment = client.get_experiment_by_name("experiment").experiment_id
    (parent,) = client.search_runs([experiment], "tags.`sentei.run_key` = 'key'")
    names = [f"{kind}-{number}" for kind in ("own", "second") for number in range(8)]
    tracking.record_verdicts(parent.info.run_id, dict.fromkeys(names, "certified"))

    found = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'")
    assert sorted(run.data.tags["sentei.variant"] for run in found) == sorted([*names, "everybody's"])
    assert len(client.search_runs([experiment])) == 1 + len(found)
    for run in found[:3]:
        assert [point.step for point in client.get_metric_history(run.info.run_id, "loss")] == list(range(50))


@pytest.mark.parametrize("password", [None, "a-wrong-password"])
def test_nobody_comes_in_without_the_right_password(as_trainer, monkeypatch, password):
    for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.delenv(name)
    if password:
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", TRAINER[0])
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", password)

    with pytest.raises(ServiceError, match="set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD") as refusal:
        tracking.open_run("key", "guarded", "run", {})

    assert "a-wrong-password" not in str(refusal.value)


def test_a_user_who_may_only_read_is_told_what_to_ask_for(as_trainer):
    run = tracking.open_run("of-the-trainer", "guarded", "run", {})

    with identified(READER), pytest.raises(ServiceError, match="ask whoever keeps the server for the permission EDIT"):
        tracking.close_run(run)


def test_a_name_that_the_server_does_not_go_by_is_explained(as_trainer, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", as_trainer.replace("127.0.0.1", "localhost"))

    with pytest.raises(ServiceError, match="start the server with --allowed-hosts and the name it is asked by"):
        tracking.open_run("key", "guarded", "run", {})


@contextmanager
def receiver():
    """URL of something that takes deliveries, and the queue in which they lie: body and headers."""
    taken = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            taken.put((self.rfile.read(int(self.headers["Content-Length"])), dict(self.headers)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/", taken
        finally:
            server.shutdown()


def test_whoever_serves_hears_of_a_new_champion_and_of_nothing_forged(as_trainer, make_bundle):
    with receiver() as (url, taken):
        with identified(ADMIN):
            events = ["model_version_alias.created"]
            webhook = MlflowClient(as_trainer).create_webhook("serving", url, events, secret=SECRET)
        register(make_bundle(name="announced"), tracking.open_run("announced", "guarded", "run", {}))
        deliveries = [taken.get(timeout=300) for _ in range(2)]
        with identified(ADMIN):
            MlflowClient(as_trainer).delete_webhook(webhook.webhook_id)

    heard = [read_event(body, headers, SECRET) for body, headers in deliveries]
    assert {event.kind for event in heard} == {"model_version_alias.created"}
    assert sorted(event.data["alias"] for event in heard) == ["certified", "champion"]
    assert sorted(event.promoted for event in heard) == ["", "announced"]

    body, headers = next(one for one in deliveries if b'"champion"' in one[0])
    for forged, told, secret in (
        (body.replace(b'"1"', b'"2"'), headers, SECRET),
        (body, {**headers, "X-MLflow-Timestamp": str(int(headers["X-MLflow-Timestamp"]) + 1)}, SECRET),
        (body, headers, "of another webhook"),
    ):
        with pytest.raises(ServiceError, match="expected a signature made with this webhook's secret"):
            read_event(forged, told, secret)
    late = int(headers["X-MLflow-Timestamp"]) + 301
    with pytest.raises(ServiceError, match="expected one of the last five minutes"):
        read_event(body, headers, SECRET, now=late)
