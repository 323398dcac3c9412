"""What the reader is told to bring is what is needed, and for kind it is what new.py makes."""

import json
import shutil
import subprocess
import sys
from fnmatch import fnmatch

import pytest
from cryptography.fernet import Fernet

from tests.manifests.brought import brought
from tests.manifests.references import references
from tests.manifests.rendered import MANIFESTS, name_of, namespace_of, render

# Pipelines read these where they run, when a recipe names them; no pod of the render does.
FOR_PIPELINES = {"Secret/sentei-mlflow", "Secret/sentei-s3"}


def new(folder):
    return subprocess.run([sys.executable, folder / "new.py"], check=True, capture_output=True, text=True).stdout


def texts(folder):
    return {path.name: path.read_text() for path in folder.rglob("*.*") if path.suffix in (".env", ".json")}


@pytest.fixture
def secrets(tmp_path):
    """The folder of Secrets as git keeps it, and what new.py adds to it."""
    folder = shutil.copytree(
        MANIFESTS / "secrets", tmp_path / "secrets", ignore=shutil.ignore_patterns("*.env", "*.json")
    )
    new(folder)
    return folder


def test_nothing_is_asked_for_that_nobody_reads(objects, overlay):
    read = {(space, name) for space, name, _ in references(objects)}
    assert brought(overlay).keys() <= read


def test_the_secrets_of_kind_are_those_it_reads(secrets, renders, kubectl):
    made = {(namespace_of(one), name_of(one)): set(one["data"]) for one in render(secrets)}
    ours = {place: keys for place, keys in made.items() if place[0] == "sentei"}
    assert ours == brought("kind")
    assert {name for space, name in made if space == "kubeflow"} == FOR_PIPELINES
    assert made["kubeflow", "Secret/sentei-mlflow"] == made["sentei", "Secret/sentei-mlflow"]


def test_a_new_kubeflow_takes_a_key_that_nobody_knows(secrets, kubectl):
    """Under the name and the keys that its own manifests give the published one."""
    (made,) = render(secrets / "kubeflow")
    assert (namespace_of(made), name_of(made)) == ("kubeflow", "Secret/mlpipeline-minio-artifact")
    assert made["data"].keys() == {"accesskey", "secretkey"}


def test_running_it_again_changes_nothing(secrets):
    before = texts(secrets)
    assert new(secrets) == ""
    assert texts(secrets) == before


def test_a_removed_file_is_a_rotated_key(secrets):
    """The store's list follows, and no other credential changes."""
    before = texts(secrets)
    (secrets / "s3-pipelines.env").unlink()
    assert new(secrets) == "s3-pipelines.env: made\n"
    after = texts(secrets)
    assert {name for name in before if before[name] != after[name]} == {"s3-pipelines.env", "s3.json"}
    keys = dict(line.split("=", 1) for line in after["s3-pipelines.env"].splitlines())
    listed = {one["name"]: one["credentials"] for one in json.loads(after["s3.json"])["identities"]}
    assert listed["pipelines"] == [{"accessKey": keys["access_key_id"], "secretKey": keys["secret_access_key"]}]


def test_only_the_owner_reads_them_and_git_does_not(secrets):
    fresh = [path for path in secrets.rglob("*") if path.suffix in (".env", ".json")]
    assert len(fresh) == 8
    assert {path.stat().st_mode & 0o777 for path in fresh} == {0o600}
    patterns = (secrets / ".gitignore").read_text().split()
    assert all(any(fnmatch(path.name, pattern) for pattern in patterns) for path in fresh)


def test_the_key_of_webhooks_is_one_that_mlflow_takes(secrets):
    """The constructor refuses any other."""
    keys = dict(line.split("=", 1) for line in texts(secrets)["auth.env"].splitlines())
    assert Fernet(keys["MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY"])


def test_pipelines_do_not_read_the_buckets_of_others(secrets):
    listed = {one["name"]: one["actions"] for one in json.loads((secrets / "s3.json").read_text())["identities"]}
    assert not [action for action in listed["pipelines"] if not action.partition(":")[2].startswith("sentei-")]
    assert {action.partition(":")[2] for action in listed["mlflow"]} == {"mlflow"}
