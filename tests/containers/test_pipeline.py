"""The whole pipeline in containers: a user without rights, a read-only root, S3 and MLflow and no other network."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import docker
import pytest
from mlflow import MlflowClient

from sentei.adapters.kubeflow.containers import IMAGE_USER, LABEL, run_container
from sentei.adapters.signing.keys import KEY, make_keys
from tests.containers.conftest import Closed, answer, raw_s3
from tests.pipeline.place import RECIPE, Place

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(1800)]
FAMILY = {"variants": [{"sparsity": 0.3}, {"sparsity": 0.5, "finetune": 1}]}
ROWS = "rows-of-all"  # an artifact names its rows by their address, too
N_TASKS = 8 + 3 * len(FAMILY["variants"])


class Seen(threading.Thread):
    """Settings of every container of a workspace, looked at when it starts."""

    def __init__(self, workspace: Path) -> None:
        super().__init__(daemon=True)
        self.settings: dict[str, dict[str, Any]] = {}
        self._client = docker.from_env()
        filters = {"label": f"{LABEL}={workspace}", "event": "start"}
        self._events = self._client.events(decode=True, filters=filters)

    def run(self) -> None:
        for event in self._events:
            with suppress(docker.errors.NotFound):
                self.settings[event["id"]] = self._client.containers.get(event["id"]).attrs

    def stop(self) -> None:
        self._events.close()
        self.join(30)
        self._client.close()


@dataclass(frozen=True)
class Contained:
    """A run in containers that was killed once, and what was seen of it.

    Attributes:
        place: Where it ran.
        orphans: How many containers the killed command had left at work.
        output: What the second command printed.
        settings: Of every container of the second command.
        left: Containers of the workspace behind its end.
    """

    place: Place
    orphans: int
    output: str
    settings: list[dict[str, Any]]
    left: int


def recipe_on(closed: Closed, bucket: str, place: Place) -> dict[str, Any]:
    """The recipe of the tiny run, with everything that lasts on S3."""
    for name in (bucket, ROWS):
        raw_s3(closed.s3).create_bucket(Bucket=name)
    place.write_rows()
    raw_s3(closed.s3).upload_file(str(place.folder / "rows.npz"), ROWS, "rows.npz")
    (place.folder / "rows.npz").unlink()
    places = {"release": {"to": f"s3://{bucket}/releases"}, "ledger": {"at": f"s3://{bucket}/ledger"}}
    return {**RECIPE, "data": {**RECIPE["data"], "path": f"s3://{ROWS}/rows.npz"}, "family": FAMILY, **places}


@pytest.fixture(scope="module")
def contained(image, closed, client, tmp_path_factory) -> Contained:
    folder = tmp_path_factory.mktemp("contained")
    key, _ = make_keys(folder / "keys")
    os.chown(key, IMAGE_USER, IMAGE_USER)
    place = Place(folder, services=(*closed.environment(), (KEY, str(key)), ("OTHER_SECRET", "stays here")))
    place.write_recipe("tiny.yaml", recipe_on(closed, "contained", place) | {"signing": {"required": True}})
    command = ("run", "tiny.yaml", "--runner", "docker", "--image", image, "--network", closed.name, "--memory", "4g")
    of_workspace = {"label": f"{LABEL}={folder / '.sentei'}"}

    started = place.start(*command)
    threading.Thread(target=started.communicate, daemon=True).start()
    while not client.containers.list(filters=of_workspace):
        assert started.poll() is None
    os.kill(started.pid, signal.SIGKILL)
    orphans = len(client.containers.list(filters=of_workspace))

    seen = Seen(folder / ".sentei")
    seen.start()
    done = place.sentei(*command)
    seen.stop()
    assert done.returncode == 0, done.stdout + done.stderr + "".join(map(Path.read_text, folder.rglob("log.txt")))
    left = len(client.containers.list(all=True, filters=of_workspace))
    return Contained(place, orphans, done.stdout, list(seen.settings.values()), left)


def test_a_run_that_was_killed_goes_on_and_leaves_no_container_behind(contained):
    assert contained.orphans == 1
    assert contained.output.startswith("continuing tiny-")
    assert contained.left == 0


def test_every_task_ran_in_a_container_without_rights(contained, closed, image, client):
    assert len(contained.settings) == N_TASKS
    for settings in contained.settings:
        host = settings["HostConfig"]
        assert settings["Image"] == client.images.get(image).id
        assert settings["Config"]["User"] == f"{IMAGE_USER}:{IMAGE_USER}"
        assert host["ReadonlyRootfs"] is True
        assert host["NetworkMode"] == closed.name
        assert host["CapDrop"] == ["ALL"]
        assert host["SecurityOpt"] == ["no-new-privileges"]
        assert host["Memory"] == 4 * 2**30
        assert not host["Privileged"]


def test_every_artifact_is_there_and_written_by_the_containers_user(contained):
    manifests = list((contained.place.folder / ".sentei/pipeline").rglob("manifest.json"))
    kinds = [json.loads(path.read_text())["kind"] for path in manifests]
    assert kinds.count("bundle") == 1
    assert len(manifests) >= N_TASKS - 1  # plan hands on parameters alone
    assert {path.stat().st_uid for path in manifests} == {IMAGE_USER}


def test_containers_are_told_what_they_need_and_no_secret_beside_it(contained):
    for settings in contained.settings:
        names = {entry.partition("=")[0] for entry in settings["Config"]["Env"]}
        assert {"AWS_SECRET_ACCESS_KEY", "MLFLOW_TRACKING_URI", KEY} <= names
        assert not {"OTHER_SECRET", "SENTEI_RUNNER_PID", "HOSTNAME"} & names
    logs = "".join(path.read_text() for path in contained.place.folder.rglob("*.txt"))
    kept = "".join(path.read_text() for path in contained.place.folder.rglob("containers.json"))
    assert dict(contained.place.services)["AWS_SECRET_ACCESS_KEY"] not in contained.output + logs + kept


def test_the_released_bundle_passes_verification_on_the_host(contained, closed):
    uri = re.search(r"sentei verify (s3://\S+)", contained.output).group(1)
    verified = contained.place.sentei("verify", uri, "--public-key", "keys/sentei.pub")
    assert verified.returncode == 0, verified.stderr
    assert verified.stdout.startswith("verified: with 95 % confidence")
    champion = MlflowClient(tracking_uri=closed.mlflow).get_model_version_by_alias("sentei-tiny", "champion")
    assert champion.tags["epsilon"] == "0.1"
    keys = [item["Key"] for item in raw_s3(closed.s3).list_objects_v2(Bucket="contained")["Contents"]]
    attempts = {key.split("/")[2] for key in keys if key.startswith("ledger/attempts/")}
    assert attempts == {"000001"}


def test_containers_and_processes_find_the_same_to_the_last_bit(contained, closed, tmp_path):
    alone = Place(tmp_path, services=tuple({**dict(closed.environment()), "MLFLOW_TRACKING_URI": ""}.items()))
    recipe = recipe_on(closed, "alone", alone)
    alone.write_recipe("tiny.yaml", recipe)
    done = alone.sentei("run", "tiny.yaml")
    assert done.returncode == 0, done.stdout + done.stderr

    ours, theirs = contained.place.findings(), alone.findings()
    assert ours["tests"] == theirs["tests"]
    assert ours["variant"] == theirs["variant"]
    assert ours["made"] == theirs["made"]


def test_the_network_of_the_containers_leads_to_s3_and_mlflow_and_nowhere_else(closed, image, client):
    with socket.create_server((closed.host, 0)) as other:
        neighbour = client.networks.get("bridge").attrs["IPAM"]["Config"][0].get("Gateway", "172.17.0.1")
        targets = {
            "s3": closed.s3.removeprefix("http://"),
            "mlflow": closed.mlflow.removeprefix("http://"),
            "another port of the host": f"{closed.host}:{other.getsockname()[1]}",
            "another network of the host": f"{neighbour}:{other.getsockname()[1]}",
            "an address for documentation": "192.0.2.1:80",
        }
        script = f"""
import json, socket
def reaches(target):
    host, _, port = target.partition(":")
    try:
        socket.create_connection((host, int(port)), timeout=3).close()
    except OSError:
        return False
    return True
print(json.dumps([name for name, target in {targets!r}.items() if reaches(target)]))
"""
        assert answer(image, script, "--network", closed.name) == ["s3", "mlflow"]


def test_a_container_that_fails_at_once_is_never_called_a_success(client, image):
    codes = {run_container(client, image, ["sh", "-c", "exit 3"], {}, network="none") for _ in range(10)}
    assert codes == {3}


def test_a_network_of_ones_own_runs_in_an_image_built_on_ours(image, closed, client, tmp_path):
    here = Path(__file__).parent / "user"
    built, _ = client.images.build(path=str(here), buildargs={"SENTEI": image}, tag="sentei-user:test", rm=True)
    place = Place(tmp_path, services=closed.environment())
    recipe = recipe_on(closed, "user", place)
    model = {"factory": "my_package.nets:build", "kwargs": {"width": 20}}
    place.write_recipe(
        "mine.yaml", recipe | {"name": "mine", "model": model, "family": {"variants": [{"sparsity": 0.3}]}}
    )
    command = ("run", "mine.yaml", "--runner", "docker", "--network", closed.name, "--image")

    unknown = place.sentei(*command, image)
    assert unknown.returncode == 4
    assert "my_package.nets:build: the module my_package may not run: SENTEI_FACTORIES allows none" in unknown.stderr

    done = place.sentei(*command, str(built.id))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "registry:           sentei-mine version 1" in done.stdout


def test_another_command_shows_what_is_missing_before_anything_starts(image, tmp_path):
    place = Place(tmp_path)
    place.write_recipe("tiny.yaml", RECIPE)
    refused = place.sentei("run", "tiny.yaml", "--runner", "docker", "--image", image)
    assert refused.returncode == 2
    for field in ("data.path", "release.to", "ledger.at", "MLFLOW_TRACKING_URI"):
        assert f"  {field}: expected" in refused.stderr
    assert not (tmp_path / ".sentei").exists()
    unknown = replace(place, services=(("MLFLOW_TRACKING_URI", "http://mlflow:5000"),))
    unknown.write_recipe("s3.yaml", RECIPE | {"data": RECIPE["data"] | {"path": "s3://rows/rows.npz"}})
    command = [sys.executable, "-m", "sentei.cli", "run", "digits", "--runner", "docker"]
    assert "expected --image as well" in subprocess.run(command, cwd=tmp_path, capture_output=True, text=True).stderr
