"""A training on several nodes: the component makes a TrainJob, watches it, and takes the result from S3."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from sentei.adapters.kubeflow.launching import launch
from sentei.adapters.kubeflow.trainjob.exchange import Exchange
from sentei.adapters.kubeflow.trainjob.manifest import ATTEMPT, name_of
from sentei.adapters.kubeflow.trainjob.running import launch_trainjob
from sentei.errors import ModelError, RecipeError, ServiceError
from sentei.recipe.distributed import Distributed
from sentei.steps import layout
from sentei.steps.frozen import to_text
from sentei.steps.plan import plan
from sentei.steps.together import Together, write_result
from sentei.steps.train import train
from tests.services.kubernetes_api import NAMESPACE, VERBS, kubernetes_api

RECIPE = """\
name: toy
seed: 3
data: {source: digits, splits: {scoring: 100, selection: 300, calibration: 600, test: 200}}
model: {architecture: mlp, kwargs: {hidden: [16]}}
train: {epochs: 2, batch_size: 32%s}
family: {grid: {sparsity: [0.5], finetune: [1]}}
claim: {epsilon: 0.03}
"""
TWO = Distributed(nodes=2, time_limit_minutes=5)


@pytest.fixture
def cluster(tmp_path, bucket, monkeypatch):
    """A cluster, and the environment of a step that may use it."""
    with kubernetes_api(tmp_path) as found:
        keys = {"access_key_id": "AWS_ACCESS_KEY_ID", "secret_access_key": "AWS_SECRET_ACCESS_KEY"}
        found.secrets["s3"] = {key: os.environ[name] for key, name in keys.items()}
        for name in ("KUBERNETES_SERVICE_HOST", "KFP_POD_NAME", "KFP_POD_UID", "SENTEI_CHECKPOINTS"):
            monkeypatch.delenv(name, raising=False)
        wanted = {"KUBECONFIG": str(tmp_path / "kubeconfig"), "SENTEI_NAMESPACE": NAMESPACE, "SENTEI_IMAGE": "sentei:1"}
        wanted |= {"SENTEI_EXCHANGE": f"s3://{bucket}/exchange", "SENTEI_TRAINJOB_SECRET": "s3"}
        wanted |= {"SENTEI_CACHE": str(tmp_path / "cache"), "SENTEI_EVENTS": os.devnull}
        for name, value in wanted.items():
            monkeypatch.setenv(name, value)
        yield found


@pytest.fixture
def sent(tmp_path):
    """A request that nobody will train."""
    made = Together.of(TWO, stage="train", subject="dense", key="k" * 64, seed=0, data={}, settings={})
    made.write(tmp_path / "sent")
    return tmp_path / "sent"


@pytest.fixture
def request_digest(sent):
    return layout.read_manifest(sent).digest


@pytest.fixture
def done(tmp_path, request_digest):
    """Nodes that hand a result back and end."""

    def finish(cluster, kind="Complete", **told):
        name = name_of("train", request_digest)
        _until(lambda: name in cluster.jobs and "watch" in cluster.asked)
        if kind == "Complete":
            write_result(tmp_path / "given", torch.nn.Linear(1, 1), {"epochs": []}, request_digest)
            Exchange.from_env(request_digest).give(tmp_path / "given")
        cluster.finish(name, kind, **told)

    return finish


def _until(there) -> None:
    while not there():
        time.sleep(0.01)


def alongside(act, *arguments, **named) -> threading.Thread:
    thread = threading.Thread(target=act, args=arguments, kwargs=named)
    thread.start()
    return thread


@pytest.mark.acceptance
def test_a_network_is_trained_by_two_nodes_as_by_one_process(cluster, tmp_path):
    """The job runs for real, each node with its own disk; tried again, the task takes the result and starts no job."""
    cluster.runs = True
    together, alone = (plan(RECIPE % asked) for asked in (", distributed: {nodes: 2}", ""))
    parts = to_text(together.examples), to_text(together.dense)
    first = train(*parts, tmp_path / "dense", None, launch)
    again = train(*parts, tmp_path / "again", None, launch)
    train(to_text(alone.examples), to_text(alone.dense), tmp_path / "alone")

    assert first == again
    assert len(cluster.created) == 1
    assert cluster.jobs == {}
    one, two = (load_file(tmp_path / name / layout.WEIGHTS) for name in ("alone", "dense"))
    for name in one:
        np.testing.assert_allclose(two[name], one[name], atol=1e-4, err_msg=name)

    (body,) = cluster.created
    trainer = body["spec"]["trainer"]
    assert (trainer["numNodes"], trainer["numProcPerNode"], trainer["image"]) == (2, 1, "sentei:1")
    assert os.environ["AWS_SECRET_ACCESS_KEY"] not in json.dumps(body)


def test_gpus_are_asked_for_and_the_job_goes_with_the_pod(cluster, sent, request_digest, done, tmp_path, monkeypatch):
    """What the API server checks of this body is all that was seen of GPUs: none was here."""
    monkeypatch.delenv("SENTEI_IMAGE")
    monkeypatch.setenv("KFP_POD_NAME", "step-1")
    monkeypatch.setenv("SENTEI_TRAINJOB_RESOURCES", '{"memory": "64Gi"}')
    monkeypatch.setenv("SENTEI_TRAINING_RUNTIME", "TrainingRuntime/ours")
    containers = [{"name": "wait", "image": "argo"}, {"name": "main", "image": "registry/sentei:abc"}]
    cluster.pods["step-1"] = {"metadata": {"name": "step-1", "uid": "u-1"}, "spec": {"containers": containers}}
    ending = alongside(done, cluster)
    launch_trainjob(sent, tmp_path / "back", Distributed(nodes=4, gpus_per_node=8))
    ending.join()

    (body,) = cluster.created
    limits = {"memory": "64Gi", "nvidia.com/gpu": "8"}
    assert body["spec"]["trainer"]["resourcesPerNode"] == {"requests": limits, "limits": limits}
    assert body["spec"]["trainer"]["image"] == "registry/sentei:abc"
    assert body["spec"]["runtimeRef"] == {"apiGroup": "trainer.kubeflow.org", "kind": "TrainingRuntime", "name": "ours"}
    assert body["metadata"]["ownerReferences"] == [{"apiVersion": "v1", "kind": "Pod", "name": "step-1", "uid": "u-1"}]


def test_two_tries_of_a_task_share_one_job(cluster, sent, done, tmp_path):
    with ThreadPoolExecutor() as pool:
        tries = [pool.submit(launch_trainjob, sent, tmp_path / f"back-{n}", TWO) for n in range(2)]
        _until(lambda: cluster.asked.count("watch") >= 2)
        done(cluster)
        for one in tries:
            one.result()
    assert len(cluster.created) == 1
    assert layout.reading(tmp_path / "back-0").digest == layout.reading(tmp_path / "back-1").digest


def test_a_server_that_is_away_for_a_while_changes_nothing(cluster, sent, done, tmp_path):
    cluster.refused, cluster.expired = [503, 500, 429], True
    ending = alongside(done, cluster)
    launch_trainjob(sent, tmp_path / "back", TWO)
    ending.join()
    assert len(cluster.created) == 1
    assert layout.reading(tmp_path / "back", "trained")


def test_what_a_process_said_is_the_error_of_the_step(cluster, sent, request_digest, done, tmp_path):
    def fail():
        _until(lambda: cluster.created)
        attempt = cluster.created[0]["metadata"]["annotations"][ATTEMPT]
        facts = {"class": "ModelError", "message": "training diverged", "rank": 1, "at": 1.0}
        Exchange.from_env(request_digest).complain(attempt, facts)
        done(cluster, "Failed")

    ending = alongside(fail)
    with pytest.raises(ModelError, match=r"^training diverged$"):
        launch_trainjob(sent, tmp_path / "back", TWO)
    ending.join()


def test_a_job_that_failed_is_kept_and_replaced_when_the_task_is_tried_again(cluster, sent, done, tmp_path):
    cluster.events = [("BackoffLimitExceeded", "pod node-0-1 was OOMKilled")]
    ending = alongside(done, cluster, "Failed", reason="JobsFailed", message="jobset failed")
    with pytest.raises(ServiceError, match=r"Failed=True JobsFailed: jobset failed .* was OOMKilled"):
        launch_trainjob(sent, tmp_path / "back", TWO)
    ending.join()
    assert len(cluster.jobs) == 1

    cluster.asked.clear()
    ending = alongside(lambda: (_until(lambda: len(cluster.created) == 2), done(cluster)))
    launch_trainjob(sent, tmp_path / "back", TWO)
    ending.join()
    assert cluster.jobs == {}


@pytest.mark.parametrize("verb", VERBS)
def test_a_missing_right_is_named(cluster, sent, tmp_path, verb):
    cluster.allowed = set(VERBS) - {verb}
    cluster.age = 300 if verb == "delete" else 0
    with pytest.raises(
        ServiceError, match=f"received 403 .*the verb {verb} on trainjobs in the group trainer.kubeflow"
    ):
        launch_trainjob(sent, tmp_path / "back", TWO)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            lambda cluster, patch: patch.setattr(cluster, "installed", False),
            "received 404 .*install Kubeflow Trainer 2",
        ),
        (lambda cluster, patch: patch.setattr("tests.services.kubernetes_api.TOKEN", "new"), "401 .*service account"),
        (lambda cluster, patch: patch.setenv("SENTEI_TRAINJOB_RESOURCES", "[1]"), "expected a JSON object"),
        (lambda cluster, patch: patch.setenv("KUBECONFIG", "/nowhere"), "expected a cluster, found none"),
        (lambda cluster, patch: patch.delenv("SENTEI_IMAGE"), "set SENTEI_IMAGE"),
    ],
)
def test_a_step_that_cannot_start_a_job_says_what_is_missing(cluster, sent, tmp_path, monkeypatch, change, told):
    change(cluster, monkeypatch)
    with pytest.raises(ServiceError, match=told):
        launch_trainjob(sent, tmp_path / "back", TWO)
    assert cluster.created == []


def test_without_an_exchange_nothing_is_started(cluster, sent, tmp_path, monkeypatch):
    monkeypatch.delenv("SENTEI_EXCHANGE")
    with pytest.raises(RecipeError, match="expected SENTEI_EXCHANGE=s3://bucket/prefix"):
        launch_trainjob(sent, tmp_path / "back", TWO)
    assert cluster.asked == []


def test_a_job_that_never_ends_is_ended(cluster, sent, tmp_path):
    cluster.age = 299
    with pytest.raises(ServiceError, match="not done after 5 minutes and was deleted; it says: no condition yet"):
        launch_trainjob(sent, tmp_path / "back", TWO)
    assert cluster.jobs == {}


def test_a_job_that_somebody_deletes_is_missed(cluster, sent, request_digest, tmp_path):
    ending = alongside(
        lambda: (_until(lambda: "watch" in cluster.asked), cluster.delete(name_of("train", request_digest)))
    )
    with pytest.raises(ServiceError, match="was deleted while it ran"):
        launch_trainjob(sent, tmp_path / "back", TWO)
    ending.join()


def test_a_job_that_another_try_deleted_after_its_end_has_its_result(cluster, sent, request_digest, tmp_path):
    """The other try saw the end first; this one finds no job any more."""

    def delete():
        _until(lambda: "watch" in cluster.asked)
        write_result(tmp_path / "given", torch.nn.Linear(1, 1), {"epochs": []}, request_digest)
        Exchange.from_env(request_digest).give(tmp_path / "given")
        cluster.delete(name_of("train", request_digest))

    ending = alongside(delete)
    launch_trainjob(sent, tmp_path / "back", TWO)
    ending.join()
    assert layout.reading(tmp_path / "back", "trained").inputs == {"request": request_digest}


def test_a_job_of_somebody_else_is_left_alone(cluster, sent, request_digest, tmp_path):
    metadata = {"name": name_of("train", request_digest), "annotations": {}}
    cluster.create({"metadata": metadata, "spec": {}})
    with pytest.raises(ServiceError, match="somebody else's job has this name"):
        launch_trainjob(sent, tmp_path / "back", TWO)
    assert len(cluster.jobs) == 1


def test_a_step_that_is_terminated_ends_its_job(cluster, sent, tmp_path):
    run = "import sys; from pathlib import Path; from tests.services.test_trainjob import TWO, launch_trainjob; "
    run += "launch_trainjob(Path(sys.argv[1]), Path(sys.argv[2]), TWO)"
    with subprocess.Popen([sys.executable, "-c", run, str(sent), str(tmp_path / "back")]) as step:
        _until(lambda: "watch" in cluster.asked or step.poll() is not None)
        step.send_signal(signal.SIGTERM)
        assert step.wait() == 128 + signal.SIGTERM
    assert cluster.jobs == {}
    assert len(cluster.created) == 1


def state(folder, epoch: int):
    with layout.writing(folder, "checkpoint") as draft:
        draft.write("facts.json", json.dumps({"epoch": epoch}).encode())
        draft.write("state.safetensors", b"state of %d" % epoch)
    return folder


def test_the_latest_whole_state_outlives_the_nodes(cluster, raw_s3, bucket, request_digest, tmp_path):
    exchange = Exchange.from_env(request_digest)
    assert not exchange.recall(tmp_path / "none")
    for epoch in (1, 2, 3):
        exchange.keep(state(tmp_path / "state", epoch))
    assert exchange.recall(tmp_path / "recalled")
    assert (tmp_path / "recalled" / "state.safetensors").read_bytes() == b"state of 3"

    # An upload into the place of the third state was cut off after its first file.
    raw_s3.put_object(Bucket=bucket, Key=f"exchange/states/{request_digest}/1/state.safetensors", Body=b"half")
    assert exchange.recall(tmp_path / "recalled")
    assert (tmp_path / "recalled" / "state.safetensors").read_bytes() == b"state of 2"
