"""One version for one certificate, with the certified bytes; the champion moves by the rule and not otherwise."""

import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import onnx
import pytest

from sentei.adapters.mlflow import registry, tracking
from sentei.adapters.mlflow.connection import connect
from sentei.adapters.mlflow.download import download_model
from sentei.adapters.mlflow.registry import Settings, register
from sentei.certificate.record import Entry
from sentei.errors import ArtifactError, CertificateError, ModelError, RecipeError, ServiceError
from sentei.risk import Claim
from sentei.steps.layout import reading, writing
from tests.services.interruption import Interrupted

HERE = Path(__file__).parent
CHEAPEST = {"name": "bytes", "value": "1"}
LOOSE = Claim("accuracy_drop", "0.03", "0.05")
COUNTED = Entry("reserved", "ledger/attempts/000001", "a" * 64, "0.05", "0.05", 1, ("b" * 64,), (1,), ())
UNPROVEN = Claim("accuracy_drop", "0.001", "0.05")


@pytest.fixture
def parent(local_mlflow):
    return tracking.open_run("run-1", "lenet", "run", {})


def champion():
    return str(connect().get_model_version_by_alias("lenet", "champion").version)


def test_a_version_says_what_was_proven(parent, make_bundle):
    bundle = make_bundle()
    result = register(bundle, parent)

    version = connect().get_model_version("lenet", "1")
    assert (result.version, result.aliases, result.moved_champion) == ("1", ("certified", "champion"), True)
    assert version.tags == {
        "certificate_sha256": reading(bundle).files["certificate.json"],
        "claim": "accuracy_drop",
        "epsilon": "0.02",
        "delta": "0.05",
        "n": "600",
        "cost_name": "bytes",
        "cost": "5000",
        "dense_digest": sha256(b"dense").hexdigest(),
        "ledger": "none",
        "served_sha256": reading(bundle).files["model/model.onnx"],
        "promotion": "done",
    }
    assert version.description.startswith("# LeNet")
    assert version.run_id == parent
    assert [one.model_id for one in connect().get_run(parent).outputs.model_outputs] == [
        version.source.removeprefix("models:/")
    ]


def test_the_certified_bytes_and_the_bundle_without_its_evidence_come_back(parent, make_bundle, tmp_path):
    bundle = make_bundle()
    register(bundle, parent)

    for uri in ("models:/lenet@champion", "models:/lenet/1"):
        folder = download_model(uri, tmp_path / "cache")
        assert (folder / "model.onnx").read_bytes() == (bundle / "model/model.onnx").read_bytes()
        kept = {str(path.relative_to(folder / "bundle")) for path in (folder / "bundle").rglob("*") if path.is_file()}
        assert kept == {name for name in reading(bundle).files if not name.startswith("evidence/")} | {"manifest.json"}
        assert all((folder / "bundle" / name).read_bytes() == (bundle / name).read_bytes() for name in kept)
    assert len(list((tmp_path / "cache").iterdir())) == 1


@pytest.mark.parametrize(
    "uri", ["models:/lenet", "models:/lenet/latest", "models:/@champion", "lenet/1", "models:/a@b/1"]
)
def test_a_uri_that_names_no_version_is_refused(parent, tmp_path, uri):
    with pytest.raises(RecipeError, match="expected models:/name/version"):
        download_model(uri, tmp_path)


def test_a_version_that_is_not_there_is_named(parent, tmp_path):
    with pytest.raises(ServiceError, match=r"fetch models:/none/1, received"):
        download_model("models:/none/1", tmp_path)


def test_the_champion_moves_to_what_is_cheaper_and_stays_otherwise(parent, make_bundle):
    register(make_bundle("first"), parent)
    dear = register(make_bundle("dear", seed=1, cost={"name": "bytes", "value": "6000"}), parent)
    loose = register(make_bundle("loose", seed=2, cost=CHEAPEST, claim=LOOSE), parent)
    assert (dear.moved_champion, dear.aliases) == (False, ("certified",))
    assert "not cheaper" in dear.reason
    assert "stricter" in loose.reason
    assert champion() == "1"

    cheap = register(make_bundle("cheap", seed=3, cost={"name": "bytes", "value": "4000"}), parent)
    assert (cheap.moved_champion, cheap.version, champion()) == (True, "4", "4")


def test_what_no_ledger_counts_does_not_replace_what_one_counts(parent, make_bundle):
    register(make_bundle("counted", entry=COUNTED), parent)
    assert connect().get_model_version("lenet", "1").tags["ledger"] == "counted"

    uncounted = register(make_bundle("cheapest", seed=1, cost=CHEAPEST), parent)
    assert (uncounted.moved_champion, champion()) == (False, "1")
    assert uncounted.reason.startswith("a ledger counts the attempts behind the champion's claim")

    cheap = register(make_bundle("cheap", seed=2, cost={"name": "bytes", "value": "2"}, entry=COUNTED), parent)
    assert (cheap.moved_champion, champion()) == (True, "3")


def test_a_late_repetition_moves_nothing_back(parent, make_bundle):
    first, second = make_bundle("first"), make_bundle("second", seed=1)
    register(first, parent, Settings("certified"))
    register(second, parent, Settings("certified"))

    again = register(first, parent, Settings("certified"))

    assert (again.version, again.aliases, again.moved_champion) == ("1", (), False)
    assert champion() == "2"


def test_a_champion_without_its_tags_stays(parent, make_bundle):
    register(make_bundle("first"), parent)
    connect().delete_model_version_tag("lenet", "1", "cost")

    result = register(make_bundle("cheap", seed=1, cost={"name": "bytes", "value": "1"}), parent)

    assert not result.moved_champion
    assert "tags cost missing" in result.reason
    assert champion() == "1"


def test_promotion_can_be_switched_off(parent, make_bundle):
    result = register(make_bundle(), parent, Settings("never"))

    assert (result.aliases, result.moved_champion) == (("certified",), False)


def test_what_is_not_certified_is_not_registered(parent, make_bundle):
    with pytest.raises(CertificateError, match="expected the verdict 'certified', received 'refused'"):
        register(make_bundle("refused", claim=UNPROVEN), parent)
    with pytest.raises(ArtifactError, match="another certificate"):
        register(make_bundle("swapped", certificate_sha256="0" * 64), parent)
    with pytest.raises(ArtifactError, match="not the network that the certificate names"):
        register(make_bundle("network", kept=b"other"), parent)
    with pytest.raises(ArtifactError, match="cannot be used"):
        register(make_bundle("no cost", cost={"name": "bytes"}), parent)
    with pytest.raises(ArtifactError, match="model's name"):
        register(make_bundle("name", name="it's"), parent)
    altered = make_bundle("altered")
    (altered / "model/model.onnx").write_bytes(b"other")
    with pytest.raises(ArtifactError, match="altered"):
        register(altered, parent)

    assert connect().search_registered_models() == []


@pytest.mark.parametrize(
    "contradiction",
    [
        {"claim": {"kind": "accuracy_drop", "tolerance": "0.01", "delta": "0.05"}},
        {"claim": {"kind": "risk", "tolerance": "0.02", "delta": "0.05"}},
        {"n": "601"},
        {"dense_digest": "d" * 64},
    ],
    ids=["tolerance", "kind", "n", "dense"],
)
def test_facts_that_contradict_the_certificate_are_refused(parent, make_bundle, contradiction):
    bundle = make_bundle()
    facts = {**reading(bundle).facts, **contradiction}
    with writing(bundle.with_name("contradicting"), "bundle") as draft:
        for name in reading(bundle).files:
            draft.write(name, (bundle / name).read_bytes())
        draft.facts |= facts

    with pytest.raises(ArtifactError, match="the certificate says"):
        register(bundle.with_name("contradicting"), parent)
    assert connect().search_registered_models() == []


@pytest.mark.parametrize("n_versions", [1, 0], ids=["version", "logged model"])
def test_a_network_altered_in_the_store_is_not_trusted_when_found_again(parent, make_bundle, n_versions):
    bundle, client = make_bundle(), connect()
    source = client.get_model_version("lenet", register(bundle, parent).version).source
    if not n_versions:
        client.delete_model_version("lenet", "1")
    model = client.get_logged_model(source.removeprefix("models:/"))
    (Path(model.artifact_location) / "model.onnx").write_bytes(b"other")

    with pytest.raises(ServiceError, match=r"expected model\.onnx with SHA-256 .* no alias was moved"):
        register(bundle, parent)
    assert len(client.search_model_versions("name = 'lenet'")) == n_versions


def test_a_store_that_keeps_other_bytes_gets_no_version(parent, make_bundle, monkeypatch):
    """Read back and compared before anything is registered; the next attempt mends it."""
    bundle, client = make_bundle(), connect()

    def damage(model_id, folder, path=None):
        type(client).log_model_artifacts(client, model_id, folder, path)
        kept = Path(client.get_logged_model(model_id).artifact_location)
        (kept / "bundle/certificate.json").write_bytes(b"{}\n")

    monkeypatch.setattr(client, "log_model_artifacts", damage)
    with monkeypatch.context() as patch:
        patch.setattr(registry, "connect", lambda: client)
        with pytest.raises(ServiceError, match="nothing was registered"):
            register(bundle, parent)
    assert connect().search_registered_models() == []

    assert register(bundle, parent).version == "1"


def test_two_processes_at_once_end_in_one_version(parent, make_bundle, monkeypatch):
    """The other process's version appears between looking for one and creating one; the first number counts."""
    client = connect()

    def late(*arguments, **named):
        type(client).create_model_version(client, *arguments, **named)
        return type(client).create_model_version(client, *arguments, **named)

    monkeypatch.setattr(client, "create_model_version", late)
    monkeypatch.setattr(registry, "connect", lambda: client)

    assert register(make_bundle(), parent).version == "1"
    assert [int(one.version) for one in client.search_model_versions("name = 'lenet'")] == [1]


def test_a_network_with_two_inputs_is_refused(parent, make_bundle):
    network = onnx.load(make_bundle() / "model/model.onnx")
    network.graph.input.append(network.graph.input[0])
    bundle = make_bundle("two inputs", served=network.SerializeToString())

    with pytest.raises(ModelError, match="expected a network with one input"):
        register(bundle, parent)


def test_registrations_killed_anywhere_end_in_one_version(local_mlflow, make_bundle, tmp_path):
    """After each change that registering makes, a process is killed, and the repetition completes what it left.

    Thirteen attempts: killed after the logged model was created, each of its three uploads, its end, its link to the
    run, the registered model, the version, the alias ``certified``, each of the three steps to ``champion`` (started,
    the alias, done); and one that was not killed.
    """
    script = [sys.executable, str(HERE / "killed_registrations.py"), str(make_bundle()), str(tmp_path / "named")]
    done = subprocess.run(script, capture_output=True, text=True)

    assert (done.returncode, done.stderr) == (0, "")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert found == 13 * [
        {
            "versions": [1],
            "aliases": ["certified", "champion"],
            "moved": True,
            "models": ["READY"],
            "outputs": 1,
            "whole": True,
            "sources": [True],
        }
    ]


@pytest.mark.parametrize("promote", ["cheaper", "certified"])
@pytest.mark.parametrize("costs", [("10", "5"), ("5", "10")], ids=["the other is cheaper", "the other is dearer"])
@pytest.mark.parametrize("prior", [True, False], ids=["champion", "no champion"])
@pytest.mark.parametrize("alias", ["certified", "champion"])
def test_two_registrations_at_once_end_by_the_rule(parent, make_bundle, monkeypatch, promote, costs, prior, alias):
    """The other process runs from its start to its end after this one has looked at the alias, before it sets it."""
    if prior:
        register(make_bundle("prior", seed=9), parent)
    mine, others = (make_bundle(cost, seed=int(cost), cost={"name": "bytes", "value": cost}) for cost in costs)
    answers = []

    def other():
        with monkeypatch.context() as patch:
            patch.setattr(registry, "connect", connect)
            answers.append(register(others, parent, Settings(promote)))

    late = Interrupted(connect(), ("set_registered_model_alias", "lenet", alias), other)
    monkeypatch.setattr(registry, "connect", lambda: late)
    result = register(mine, parent, Settings(promote))

    newest = answers[0].version
    best = newest if promote == "certified" or costs == ("10", "5") else result.version
    aliases = connect().get_registered_model("lenet").aliases
    assert {name: str(version) for name, version in aliases.items()} == {"certified": newest, "champion": best}
    assert result.moved_champion == ("champion" in result.aliases) == (best == result.version)
    states = [one.tags.get("promotion") for one in connect().search_model_versions("name = 'lenet'")]
    assert "started" not in states
