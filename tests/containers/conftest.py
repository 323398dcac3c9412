"""An engine, the image, and a network in which nothing but S3 and MLflow can be reached; all of it is made here."""

import json
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import boto3
import docker
import pytest

from components.image.build import build
from components.image.engine import engine
from tests.services.conftest import AWS, QUIET, served


@dataclass(frozen=True)
class Closed:
    """A network and the two servers that stand at its edge.

    Attributes:
        name: The network's name.
        host: The address of this machine in it.
        s3: URL of the S3 server.
        mlflow: URL of the MLflow server.
    """

    name: str
    host: str
    s3: str
    mlflow: str

    def environment(self) -> tuple[tuple[str, str], ...]:
        """What makes ``sentei`` use the servers."""
        mine = {"AWS_ENDPOINT_URL": self.s3, "MLFLOW_TRACKING_URI": self.mlflow}
        return tuple({**AWS, **mine, "OMP_NUM_THREADS": "1"}.items())


@pytest.fixture(scope="session")
def client():
    with engine():
        client = docker.from_env()
        yield client
        client.close()


@pytest.fixture(scope="session")
def image(client) -> str:
    """The CPU image of these sources; one that exists is taken."""
    return build("cpu")


@pytest.fixture(scope="session")
def closed(client, tmp_path_factory) -> Iterator[Closed]:
    folder, name = tmp_path_factory.mktemp("servers"), f"sentei-{uuid.uuid4().hex[:8]}"
    network = client.networks.create(name, driver="bridge", internal=True)
    try:
        network.reload()
        host = network.attrs["IPAM"]["Config"][0]["Gateway"]
        s3, mlflow = free_port(host), free_port(host)
        urls = f"http://{host}:{s3}", f"http://{host}:{mlflow}"
        tracking = [sys.executable, "-m", "mlflow", "server", "--host", host, "--port", str(mlflow), "--workers", "1"]
        tracking += ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"]
        tracking += ["--artifacts-destination", "s3://mlflow-artifacts/root"]
        env = {**AWS, **QUIET, "MLFLOW_S3_ENDPOINT_URL": urls[0]}
        with served([sys.executable, "-m", "moto.server", "-H", host, "-p", str(s3)], urls[0], folder / "s3.log", AWS):
            raw_s3(urls[0]).create_bucket(Bucket="mlflow-artifacts")
            with (
                served(tracking, f"{urls[1]}/health", folder / "mlflow.log", env),
                nothing_else(f"br-{network.id[:12]}", s3, mlflow),
            ):
                yield Closed(name, host, *urls)
    finally:
        network.remove()


@contextmanager
def nothing_else(bridge: str, *ports: int) -> Iterator[None]:
    """From a bridge, this machine answers at these ports only; the engine itself lets nothing pass beyond it."""
    rules = [["-i", bridge, "-p", "tcp", "--dport", str(port), "-j", "ACCEPT"] for port in ports]
    rules = [*rules, ["-i", bridge, "-j", "REJECT"]]
    try:
        for place, rule in enumerate(rules, start=1):
            subprocess.run(["iptables", "-I", "INPUT", str(place), *rule], check=True)
        yield
    finally:
        for rule in rules:
            subprocess.run(["iptables", "-D", "INPUT", *rule])


def free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]


def raw_s3(endpoint: str):
    session = boto3.session.Session(AWS["AWS_ACCESS_KEY_ID"], AWS["AWS_SECRET_ACCESS_KEY"])
    return session.client("s3", endpoint_url=endpoint, region_name=AWS["AWS_DEFAULT_REGION"])


def inside(image: str, script: str, *options: str) -> subprocess.CompletedProcess:
    """What a program in Python prints in a container."""
    command = ["docker", "run", "--rm", "--interactive", *options, image, "python3", "-"]
    return subprocess.run(command, input=script, capture_output=True, text=True)


def answer(image: str, script: str, *options: str):
    """The same, read as JSON."""
    done = inside(image, script, *options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
