"""A revoked version loses its aliases and gets none again, whoever registers meanwhile and however often."""

import pytest
from mlflow import MlflowClient

from sentei.adapters.mlflow import registry, revocation, tracking
from sentei.adapters.mlflow.connection import connect
from sentei.adapters.mlflow.registry import Settings, register
from sentei.adapters.mlflow.revocation import find_registration
from sentei.errors import ServiceError
from sentei.steps.layout import reading
from tests.services.interruption import Interrupted

AT, REASON = "2026-02-01T03:00:00Z", "the world moved"


@pytest.fixture
def parent(local_mlflow):
    return tracking.open_run("run-1", "lenet", "run", {})


@pytest.fixture
def registered(parent, make_bundle):
    """Registers bundles of falling cost, so that each takes over as champion."""

    def make(number):
        bundle = make_bundle(f"bundle-{number}", seed=number, cost={"name": "bytes", "value": str(1000 - number)})
        register(bundle, parent)
        return bundle

    return make


def found(bundle):
    return find_registration(reading(bundle).files["certificate.json"], "lenet")


def aliases():
    return {name: str(version) for name, version in connect().get_registered_model("lenet").aliases.items()}


def test_revoking_takes_both_aliases_and_says_when_and_why(registered):
    bundle = registered(1)
    before = connect().get_model_version("lenet", "1").tags

    assert found(bundle).revoked == ""
    done = found(bundle).revoke(REASON, AT)

    assert aliases() == {}
    assert done == {"model": "lenet", "version": "1", "removed": "certified, champion", "still_certified": ""}
    assert connect().get_model_version("lenet", "1").tags == {**before, "revoked": AT, "revoked_reason": REASON}
    assert found(bundle).revoked == f"{AT}: {REASON}"


def test_revoking_twice_is_harmless_and_keeps_the_first_word(registered):
    bundle = registered(1)
    found(bundle).revoke(REASON, AT)
    again = found(bundle).revoke("something else", "2027-01-01T00:00:00Z")

    assert again["removed"] == ""
    assert found(bundle).revoked == f"{AT}: {REASON}"


def test_aliases_of_other_versions_stay(registered):
    old, new = registered(1), registered(2)
    connect().set_registered_model_alias("lenet", "shadow", "1")

    done = found(old).revoke(REASON, AT)
    assert (done["removed"], done["still_certified"]) == ("", "2")
    assert aliases() == {"certified": "2", "champion": "2", "shadow": "1"}

    done = found(new).revoke(REASON, AT)
    assert (done["removed"], done["still_certified"]) == ("certified, champion", "")
    assert aliases() == {"shadow": "1"}


def test_what_is_registered_later_takes_over_and_the_revoked_version_never_does(parent, registered):
    first, second = registered(1), registered(2)
    found(second).revoke(REASON, AT)
    assert aliases() == {}

    again = register(second, parent, Settings("certified"))
    assert (again.version, again.aliases, again.moved_champion) == ("2", (), False)
    assert again.reason == f"this version was revoked at {AT}"
    assert aliases() == {}

    assert register(first, parent, Settings("never")).aliases == ("certified",)  # the newest that nobody has revoked
    third = registered(3)
    assert aliases() == {"certified": "3", "champion": "3"}
    assert found(third).version == "3"


def test_a_revoked_version_that_somebody_put_behind_champion_by_hand_gives_way(parent, registered):
    bundle = registered(5)
    found(bundle).revoke(REASON, AT)
    connect().set_registered_model_alias("lenet", "champion", "1")

    register(registered(1), parent)
    assert aliases() == {"certified": "2", "champion": "2"}


@pytest.fixture
def made_again(make_bundle):
    """The same network, certified anew at another time and called as cheap as can be."""

    def make(bundle, seed):
        served = (bundle / "model/model.onnx").read_bytes()
        return make_bundle(f"again-{seed}", seed=seed, served=served, cost={"name": "bytes", "value": "1"})

    return make


@pytest.mark.parametrize("promote", ["cheaper", "certified"])
def test_the_network_of_a_revoked_version_gets_no_alias_under_another_certificate(
    parent, registered, made_again, promote
):
    bundle = registered(1)
    again = made_again(bundle, 2)
    assert reading(again).files["certificate.json"] != reading(bundle).files["certificate.json"]
    found(bundle).revoke(REASON, AT)

    for _ in range(2):
        result = register(again, parent, Settings(promote))
        assert (result.version, result.aliases, result.moved_champion) == ("2", (), False)
        assert result.reason == f"version 1, which serves the same network, was revoked at {AT}"
    assert aliases() == {}
    assert found(again).revoke(REASON, AT)["still_certified"] == ""

    registered(3)
    assert aliases() == {"certified": "3", "champion": "3"}
    register(made_again(bundle, 4), parent, Settings(promote))
    assert aliases() == {"certified": "3", "champion": "3"}


def test_revoking_takes_the_aliases_from_every_version_of_the_network(parent, registered, made_again):
    bundle = registered(1)
    register(made_again(bundle, 2), parent, Settings("certified"))
    assert aliases() == {"certified": "2", "champion": "2"}

    done = found(bundle).revoke(REASON, AT)
    assert (done["removed"], done["still_certified"]) == ("certified, champion", "")
    assert aliases() == {}


def test_a_revoked_version_from_before_the_tag_bars_itself_alone(parent, registered, made_again):
    bundle = registered(1)
    connect().delete_model_version_tag("lenet", "1", "served_sha256")
    found(bundle).revoke(REASON, AT)

    assert register(made_again(bundle, 2), parent).aliases == ("certified", "champion")
    assert register(bundle, parent).reason == f"this version was revoked at {AT}"


@pytest.mark.parametrize("alias", ["certified", "champion"])
def test_a_network_revoked_while_it_is_registered_anew_keeps_no_alias(
    parent, registered, made_again, monkeypatch, alias
):
    bundle = registered(1)
    again = made_again(bundle, 2)
    late = Interrupted(
        connect(), ("set_registered_model_alias", "lenet", alias), lambda: found(bundle).revoke(REASON, AT)
    )
    monkeypatch.setattr(registry, "connect", lambda: late)

    result = register(again, parent)

    assert (result.aliases, result.moved_champion, aliases()) == ((), False, {})
    assert result.reason == f"version 1, which serves the same network, was revoked at {AT}"


@pytest.mark.parametrize("alias", ["certified", "champion"])
@pytest.mark.parametrize("prior", [True, False], ids=["another before", "none before"])
def test_a_version_revoked_while_it_is_registered_keeps_no_alias(
    parent, registered, make_bundle, monkeypatch, alias, prior
):
    """The monitor runs from its start to its end between the looking and the setting of the alias."""
    if prior:
        registered(1)
    bundle = make_bundle("late", seed=7, cost={"name": "bytes", "value": "7"})
    late = Interrupted(
        connect(), ("set_registered_model_alias", "lenet", alias), lambda: found(bundle).revoke(REASON, AT)
    )
    monkeypatch.setattr(registry, "connect", lambda: late)

    result = register(bundle, parent)

    assert (result.aliases, result.moved_champion) == ((), False)
    assert result.reason == f"this version was revoked at {AT}"
    stays = {"champion": "1"} if alias == "champion" else {"champion": "1", "certified": "1"}
    assert aliases() == (stays if prior else {})


class Killed(BaseException):
    """What ends a process in the middle; nothing that sentei catches."""


class Mortal:
    """A client that ends the process's work before its so-many-th change."""

    def __init__(self, client, changes_left):
        self._client, self._left = client, changes_left

    def __getattr__(self, name):
        if name.startswith(("set_", "delete_")):
            if self._left == 0:
                raise Killed
            self._left -= 1
        return getattr(self._client, name)


@pytest.mark.parametrize("n_changes", range(4))
def test_a_revocation_killed_anywhere_is_finished_by_the_next(registered, monkeypatch, n_changes):
    bundle = registered(1)
    monkeypatch.setattr(revocation, "connect", lambda: Mortal(connect(), n_changes))
    version = found(bundle)
    with pytest.raises(Killed):
        version.revoke(REASON, AT)
    monkeypatch.setattr(revocation, "connect", connect)

    found(bundle).revoke(REASON, AT)
    assert aliases() == {}
    assert found(bundle).revoked == f"{AT}: {REASON}"


def test_a_missing_version_is_an_error_that_says_where_it_looked(registered, tmp_path, monkeypatch):
    bundle = registered(1)
    sha256 = reading(bundle).files["certificate.json"]
    for arguments in ((sha256, "other"), ("0" * 64, "lenet"), (sha256, "it's")):
        with pytest.raises(ServiceError, match=r"mlflow\.db: expected a version|find the version of it's"):
            find_registration(*arguments)
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    with pytest.raises(ServiceError, match=r"expected a version of the registered model lenet .* found none"):
        find_registration(sha256, "lenet")
    assert list((tmp_path / "empty").iterdir()) == []


def test_a_server_is_asked_as_a_database_is(mlflow_server, monkeypatch, make_bundle, bucket):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_server)
    bundle = make_bundle(name="served")
    register(bundle, tracking.open_run("run-1", "served", "run", {}))
    version = find_registration(reading(bundle).files["certificate.json"], "served")
    assert version.revoke(REASON, AT)["removed"] == "certified, champion"

    client = MlflowClient(tracking_uri=mlflow_server)
    assert client.get_registered_model("served").aliases == {}
    assert client.get_model_version("served", version.version).tags["revoked"] == AT

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(ServiceError, match="check MLFLOW_TRACKING_URI and that the server is up"):
        find_registration("0" * 64, "served")
