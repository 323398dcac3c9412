"""What containers would not find is told before anything is started."""

import pytest

from sentei.adapters.kubeflow.containers import Containers, arguments
from sentei.adapters.kubeflow.reach import ENDPOINTS, require_reachable
from sentei.errors import RecipeError
from sentei.recipe import parse_recipe
from tests.pipeline.place import RECIPE

LASTING = {"release": {"to": "s3://bucket/releases"}, "ledger": {"at": "s3://bucket/ledger"}}
S3_OR = "s3://..., or an"
UNLABELLED = {"source": "images", "path": "/photos", "size": [8, 8], "channels": 1}


def recipe(**changes):
    import yaml

    rows = {**RECIPE["data"], "path": "s3://bucket/rows.npz"}
    return parse_recipe(yaml.safe_dump({**RECIPE, "data": rows, **LASTING, **changes}), "recipe.yaml")


@pytest.fixture(autouse=True)
def _servers(monkeypatch):
    for name in (*ENDPOINTS, "SENTEI_SIGNING_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow:5000")


def mistakes(wanted, containers):
    with pytest.raises(RecipeError) as caught:
        require_reachable(wanted, containers)
    return str(caught.value).splitlines()[1:]


def test_servers_are_enough():
    require_reachable(recipe(), Containers("image"))


@pytest.mark.parametrize("place", ["ledger", "/kept/ledger", "/kept-too/ledger"])
def test_a_ledger_in_a_folder_that_goes_with_the_container_is_refused(tmp_path, place):
    (mistake,) = mistakes(recipe(ledger={"at": place}), Containers("image", mounts=(str(tmp_path),)))
    assert mistake.startswith(
        "  ledger.at: expected s3://..., or an absolute path under a folder of --mount FOLDER:rw;"
    )
    assert mistake.endswith(f"received {place}")


def test_what_is_written_needs_a_mount_to_write_and_what_is_read_any(tmp_path):
    inside = str(tmp_path / "kept")
    writing, reading = (Containers("image", mounts=(mount,)) for mount in (f"{tmp_path}:rw", str(tmp_path)))
    rows = {"data": {**RECIPE["data"], "path": f"{inside}/rows.npz"}}

    require_reachable(recipe(ledger={"at": inside}, release={"to": inside}, **rows), writing)
    require_reachable(recipe(**rows), reading)
    assert [line.split(":")[0].strip() for line in mistakes(recipe(release={"to": inside}), reading)] == ["release.to"]


@pytest.mark.parametrize(
    ("field", "wished", "changes"),
    [
        ("data.unlabelled.path", S3_OR, {"data": {**RECIPE["data"], "path": "s3://b/r.npz", "unlabelled": UNLABELLED}}),
        ("recertify.data.path", S3_OR, {"recertify": {"data": {"source": "npz", "path": "/fresh/rows.npz"}}}),
        ("signing.public_key", "an", {"signing": {"public_key": "sentei.pub"}}),
        ("signing.public_key", "an", {"signing": {"public_key": "s3://b/sentei.pub"}}),
    ],
)
def test_everything_that_a_step_reads_is_looked_at(field, wished, changes):
    (mistake,) = mistakes(recipe(**changes), Containers("image"))
    assert mistake.startswith(f"  {field}: expected {wished} absolute path under a folder of --mount FOLDER;")


@pytest.mark.parametrize("mount", ["data", "/no/such/folder"])
def test_a_mount_is_a_folder_with_its_whole_path(mount):
    assert "--mount: expected the absolute path" in mistakes(recipe(), Containers("image", mounts=(mount,)))[0]


@pytest.mark.parametrize("uri", ["", "sqlite:///mlflow.db", "/mlruns"])
def test_runs_need_a_server(monkeypatch, uri):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert "MLFLOW_TRACKING_URI: expected http(s)://" in mistakes(recipe(), Containers("image"))[0]


def test_this_machines_own_address_means_the_container_unless_it_shares_the_network(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9000")
    assert "AWS_ENDPOINT_URL: 127.0.0.1 is the container itself" in mistakes(recipe(), Containers("image"))[0]
    require_reachable(recipe(), Containers("image", network="host"))


def test_a_signing_key_that_the_containers_user_cannot_read_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("SENTEI_SIGNING_KEY", str(tmp_path / "none.key"))
    assert "SENTEI_SIGNING_KEY: expected a file" in mistakes(recipe(), Containers("image"))[0]


def test_a_container_is_given_named_variables_and_no_others(tmp_path):
    environment = {"AWS_SECRET_ACCESS_KEY": "s", "SENTEI_EVENTS": "e", "HOME": "/root", "MINE": "m", "THEIRS": "t"}
    given = arguments(Containers("image", environment=("MINE",)), tmp_path, environment)
    expected = {"AWS_SECRET_ACCESS_KEY": "s", "SENTEI_EVENTS": "e", "MINE": "m", "SENTEI_CACHE": f"{tmp_path}/examples"}
    assert given["environment"] == expected
    assert given["read_only"] is True
    assert given["user"].partition(":")[0] not in ("0", "root")


def test_settings_are_kept_beside_a_run(tmp_path):
    assert Containers.read(tmp_path) is None
    settings = Containers("sha256:1", "net", ("/data:rw",), ("MINE",), "4g", 1.5)
    settings.write(tmp_path)
    assert Containers.read(tmp_path) == settings
