"""The commands of the overlay kind, run as they stand there: the buckets, the tracking server, its accounts."""

import base64
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError, URLError

import boto3
import pytest

from tests.manifests import kubelet, services
from tests.manifests.rendered import MANIFESTS, Object, Pod, pods, render

SERVICE = "mlflow.sentei.svc.cluster.local:5000"
SEARCH = "/api/2.0/mlflow/experiments/search?max_results=1"


@dataclass
class Cluster:
    """Where things are here that the cluster would give: everything else is as the render says."""

    objects: list[Object]
    secrets: list[Object]
    folder: Path
    s3: str
    database: int
    mlflow: int

    def pod(self, name: str) -> Pod:
        (found,) = [pod for pod in pods(self.objects) if pod.name == name]
        return found

    def container(self, name: str) -> tuple[list[str], dict]:
        """Command, environment and working directory of a pod's container; its /tmp is a folder of its own."""
        pod, here = self.pod(name), self.folder / name.replace("/", "-")
        for folder in (here, here / "tmp", here / "work"):
            folder.mkdir()
        variables = kubelet.environment(self.objects, self.secrets, pod)
        # The accounts' job asks http://mlflow:5000: here that name leads nowhere.
        variables |= {key: value for key, value in self._addresses().items() if key in variables}
        program, *words = kubelet.arguments(pod, variables)
        places = {**kubelet.mounted(self.objects, pod, here), "/tmp": str(here / "tmp")}
        words = [_here(word, places) for word in words]
        words = [program, *(f"--port={self.mlflow}" if word.startswith("--port=") else word for word in words)]
        variables = {key: _here(value, places) for key, value in variables.items()}
        return words, {
            "env": {**variables, "TMPDIR": places["/tmp"], "PYTHONDONTWRITEBYTECODE": "1"},
            "cwd": here / "work",
        }

    def run(self, name: str) -> str:
        words, settings = self.container(name)
        done = subprocess.run(words, capture_output=True, text=True, **settings)
        assert done.returncode == 0, done.stderr
        shutil.rmtree(settings["cwd"].parent)
        return done.stdout

    def ask(self, path: str, host: str = SERVICE, login: str = "") -> tuple[int, str]:
        request = urllib.request.Request(f"http://127.0.0.1:{self.mlflow}{path}", headers={"Host": host})
        if login:
            request.add_header("Authorization", f"Basic {base64.b64encode(login.encode()).decode()}")
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except (URLError, ConnectionError, TimeoutError):
            return 0, ""

    def variables(self, name: str) -> dict[str, str]:
        return kubelet.environment(self.objects, self.secrets, self.pod(name))

    def _addresses(self) -> dict[str, str]:
        return {
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.database),
            "MLFLOW_S3_ENDPOINT_URL": self.s3,
            "AWS_ENDPOINT_URL": self.s3,
            "MLFLOW_TRACKING_URI": f"http://localhost:{self.mlflow}",
        }


def _here(text: str, places: dict[str, str]) -> str:
    for there, here in places.items():
        if text == there or text.startswith(f"{there}/"):
            return here + text.removeprefix(there)
    return text


@pytest.fixture(scope="module")
def cluster(renders, tmp_path_factory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("cluster")
    made = shutil.copytree(MANIFESTS / "secrets", folder / "secrets", ignore=shutil.ignore_patterns("*.env", "*.json"))
    subprocess.run([sys.executable, made / "new.py"], check=True, capture_output=True)
    secrets = render(made)
    with ExitStack() as stack:
        s3 = stack.enter_context(services.object_store(folder / "s3.log"))
        there = Cluster(renders["kind"], secrets, folder, f"http://127.0.0.1:{s3}", 0, services.free_port())
        account = there.variables("StatefulSet/postgres")
        login = (account["POSTGRES_USER"], account["POSTGRES_PASSWORD"])
        there.database = stack.enter_context(services.database(*login, account["POSTGRES_DB"]))
        assert there.run("Job/object-store-buckets").count(": made") == 5
        words, settings = there.container("Deployment/mlflow")
        ready = lambda: there.ask("/health", host="10.0.0.7:5000")[0] == 200  # noqa: E731 - one line says it
        stack.enter_context(services.process(words, folder / "mlflow.log", ready, **settings))
        yield there


@pytest.fixture
def s3(cluster):
    keys = cluster.variables("Job/object-store-buckets")
    session = boto3.session.Session(keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"], region_name="us-east-1")
    client = session.client("s3", endpoint_url=cluster.s3)
    yield client
    client.close()


def test_buckets_are_made_once_and_keep_versions(cluster, s3):
    assert "made" not in cluster.run("Job/object-store-buckets")
    kept = {
        bucket: s3.get_bucket_versioning(Bucket=bucket).get("Status") for bucket in ("sentei-ledger", "sentei-data")
    }
    assert kept == {"sentei-ledger": "Enabled", "sentei-data": None}


def test_who_is_let_in(cluster):
    """By the name of the Service and with a password; probes ask by address and without one."""
    admin = f"admin:{cluster.variables('Deployment/mlflow')['MLFLOW_AUTH_ADMIN_PASSWORD']}"
    assert cluster.ask("/health", host="10.0.0.7:5000") == (200, "OK")
    assert cluster.ask(SEARCH, login=admin)[0] == 200
    assert cluster.ask(SEARCH)[0] == 401
    assert cluster.ask(SEARCH, login="admin:password1234")[0] == 401
    assert cluster.ask(SEARCH, host="evil.example", login=admin)[0] == 403
    assert cluster.ask(SEARCH, host=f"127.0.0.1:{cluster.mlflow}", login=admin)[0] == 403


@pytest.fixture
def pipelines(cluster, monkeypatch):
    """The environment of a pipeline's pod: the endpoints, and the account that the job has made."""
    cluster.run("Job/mlflow-accounts")
    job = cluster.variables("Job/mlflow-accounts")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://localhost:{cluster.mlflow}")
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", job["ACCOUNT_USERNAME"])
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", job["ACCOUNT_PASSWORD"])
    monkeypatch.delenv("MLFLOW_RUN_ID", raising=False)
    return f"{job['ACCOUNT_USERNAME']}:{job['ACCOUNT_PASSWORD']}"


def test_a_pipeline_records_and_registers(cluster, pipelines, s3):
    """With the account of pipelines, which is no administrator; its artifacts arrive in the bucket of the render."""
    from sentei.adapters.mlflow import tracking
    from sentei.adapters.mlflow.connection import connect

    run = tracking.open_run("key", "manifests", "run", {"seed": "7"}, {"recipe.yaml": "name: x\n"})
    tracking.close_run(run)
    connect().create_registered_model("sentei-manifests")

    kept = s3.list_objects_v2(Bucket="mlflow", Prefix="artifacts/")["Contents"]
    (recipe,) = [one["Key"] for one in kept if one["Key"].endswith("recipe.yaml")]
    assert s3.get_object(Bucket="mlflow", Key=recipe)["Body"].read() == b"name: x\n"


def test_a_new_password_of_the_account(cluster, pipelines):
    """The Secret is changed and the job run again: the old password is refused, the new one taken."""
    assert cluster.ask(SEARCH, login=pipelines)[0] == 200
    (secret,) = [one for one in cluster.secrets if one["metadata"] == {"name": "sentei-mlflow", "namespace": "sentei"}]
    secret["data"]["password"] = base64.b64encode(b"another-long-password").decode()
    assert "has the password of its Secret" in cluster.run("Job/mlflow-accounts")
    assert cluster.ask(SEARCH, login=pipelines)[0] == 401
    assert cluster.ask(SEARCH, login=f"{pipelines.partition(':')[0]}:another-long-password")[0] == 200


def test_nothing_is_written_outside_of_tmp(cluster, pipelines):
    """The root file system is read-only in the cluster."""
    assert list((cluster.folder / "Deployment-mlflow" / "work").iterdir()) == []
