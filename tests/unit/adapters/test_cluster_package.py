"""The recipe's platform in a package: what Kubeflow's own functions would have written."""

from typing import get_args

import pytest
import yaml
from google.protobuf import json_format
from kfp import dsl, kubernetes
from kfp.compiler import Compiler
from kfp.compiler.compiler_utils import KubernetesManifestOptions
from kfp.components import load_component_from_file, load_component_from_text
from kfp.kubernetes.kubernetes_executor_config_pb2 import KubernetesExecutorConfig
from kfp.pipeline_spec.pipeline_spec_pb2 import PipelineSpec, PlatformSpec

from components.register.component import register
from components.train.component import train
from sentei.adapters.kubeflow.cluster import cluster_package, platform_package, step_name
from sentei.adapters.kubeflow.manifests import pipeline_manifests
from sentei.adapters.kubeflow.package import pipeline_names, recipe_text, version_name
from sentei.errors import RecipeError
from sentei.recipe import parse_recipe
from sentei.recipe.platform import Platform, StepName

IMAGE = "registry.example/sentei:3fa1c09e77b2"
PLATFORM = """
platform:
  image: registry.example/sentei:3fa1c09e77b2
  namespace: compression
  parallelism: 5
  environment: {MLFLOW_TRACKING_URI: "http://mlflow.compression:5000"}
  secrets: {s3: bucket-keys, mlflow: mlflow-user, signing: signing-key, pull: registry-login}
  workspace: {claim: checkpoints}
  mounts: [{claim: images, at: /data/images}]
  every: {cpu: 2, memory: 4Gi, retries: {count: 3, wait: 10s, factor: 3, at_most: 5m}}
  steps:
    train:
      cpu: 500m
      cpu_limit: 8
      memory_limit: 32Gi
      accelerator: {count: 2}
      shared_memory: 8Gi
      timeout: 6h
      node_selector: {pool: gpu}
      tolerations: [{key: gpu, operator: Exists, effect: NoSchedule}, {key: team, value: vision}]
"""


@pytest.fixture(scope="module")
def recipe():
    return parse_recipe(recipe_text("digits") + PLATFORM)


@pytest.fixture(scope="module")
def documents(recipe):
    return list(yaml.safe_load_all(cluster_package(recipe)))


def pod_of(documents, label):
    return documents[1]["platforms"]["kubernetes"]["deploymentSpec"]["executors"][label]


def by_kubeflow(tmp_path, configure):
    """What kfp compiles for one task of a component, configured by its own functions."""

    @dsl.pipeline(name="one")
    def one(examples: str, dense: str):
        configure(train(examples=examples, dense=dense))

    Compiler().compile(one, str(tmp_path / "one.yaml"))
    return list(yaml.safe_load_all((tmp_path / "one.yaml").read_text()))


def equip(task):
    """The same as the platform above, in Kubeflow's words."""
    task.set_container_image(IMAGE)
    task.set_cpu_request("500m").set_cpu_limit("8").set_memory_request("4Gi").set_memory_limit("32Gi")
    task.set_accelerator_type("nvidia.com/gpu").set_accelerator_limit(2)
    task.set_retry(3, backoff_duration="10s", backoff_factor=3, backoff_max_duration="300s")
    for name, value in {
        "HOME": "/tmp",
        "MLFLOW_TRACKING_URI": "http://mlflow.compression:5000",
        "SENTEI_CACHE": "/workspace/examples",
        "SENTEI_CHECKPOINTS": "/workspace/checkpoints",
        "SENTEI_IMAGE": IMAGE,
        "SENTEI_TRAINJOB_RESOURCES": '{"cpu": "500m", "memory": "4Gi"}',
        "SENTEI_TRAINJOB_SECRET": "bucket-keys",
    }.items():
        task.set_env_variable(name, value)
    keys = {"access_key_id": "AWS_ACCESS_KEY_ID", "secret_access_key": "AWS_SECRET_ACCESS_KEY"}
    kubernetes.use_secret_as_env(task, "bucket-keys", keys)
    user = {"username": "MLFLOW_TRACKING_USERNAME", "password": "MLFLOW_TRACKING_PASSWORD"}
    kubernetes.use_secret_as_env(task, "mlflow-user", user)
    kubernetes.set_image_pull_secrets(task, ["registry-login"])
    kubernetes.mount_pvc(task, "checkpoints", "/workspace")
    kubernetes.mount_pvc(task, "images", "/data/images")
    kubernetes.empty_dir_mount(task, "scratch", "/tmp", size_limit="10Gi")
    kubernetes.set_security_context(task, run_as_user=10001, run_as_group=10001, run_as_non_root=True)
    kubernetes.add_node_selector(task, "pool", "gpu")
    kubernetes.add_toleration(task, key="gpu", operator="Exists", effect="NoSchedule")
    kubernetes.add_toleration(task, key="team", operator="Equal", value="vision")
    kubernetes.set_timeout(task, 6 * 3600)


def test_a_step_gets_what_kubeflows_own_functions_would_give_it(documents, tmp_path):
    """Container, task and pod, message for message; /dev/shm, for which kfp has no function, is compared apart."""
    theirs = by_kubeflow(tmp_path, equip)
    ours_in, theirs_in = (found[0]["deploymentSpec"]["executors"]["exec-train"] for found in (documents, theirs))
    assert PipelineSpec() != json_format.ParseDict(documents[0], PipelineSpec())
    assert ours_in["container"]["resources"] == theirs_in["container"]["resources"]
    assert sorted(ours_in["container"]["env"], key=str) == sorted(theirs_in["container"]["env"], key=str)
    assert ours_in["container"]["image"] == theirs_in["container"]["image"]
    assert (
        documents[0]["root"]["dag"]["tasks"]["train"]["retryPolicy"]
        == theirs[0]["root"]["dag"]["tasks"]["train"]["retryPolicy"]
    )
    ours = json_format.ParseDict(pod_of(documents, "exec-train"), KubernetesExecutorConfig())
    assert (ours.enabled_shared_memory.volume_name, ours.enabled_shared_memory.size) == ("shm", "8Gi")
    ours.ClearField("enabled_shared_memory")
    assert ours == json_format.ParseDict(pod_of(theirs, "exec-train"), KubernetesExecutorConfig())


def test_register_alone_gets_the_signing_key(documents, tmp_path):
    """Its file, the place in the environment, and the password if the Secret has one."""

    @dsl.pipeline(name="two")
    def two(
        recipe: str, verdict: dsl.Input[dsl.Artifact], chosen: dsl.Input[dsl.Model], losses: dsl.Input[dsl.Dataset]
    ):
        parts = {"recipe": recipe, "decision": recipe, "parent": recipe, "test": losses, "dense_test": losses}
        task = register(**parts, verdict=verdict, chosen=chosen, dense=chosen)
        kubernetes.use_secret_as_volume(task, "signing-key", "/etc/sentei/signing")
        kubernetes.use_secret_as_env(task, "signing-key", {"password": "SENTEI_SIGNING_PASSWORD"}, optional=True)

    Compiler().compile(two, str(tmp_path / "two.yaml"))
    theirs = pod_of(list(yaml.safe_load_all((tmp_path / "two.yaml").read_text())), "exec-register")
    ours = pod_of(documents, "exec-register")
    assert ours["secretAsVolume"] == theirs["secretAsVolume"]
    assert theirs["secretAsEnv"][0] in ours["secretAsEnv"]
    environment = documents[0]["deploymentSpec"]["executors"]["exec-register"]["container"]["env"]
    assert {"name": "SENTEI_SIGNING_KEY", "value": "/etc/sentei/signing/sentei.key"} in environment
    others = [label for label in documents[0]["deploymentSpec"]["executors"] if label != "exec-register"]
    assert not [label for label in others if "signing" in str(pod_of(documents, label))]


def test_what_concludes_a_recertification_signs_and_may_be_equipped(recipe):
    """The other pipeline has steps of its own names; every one of them is a step that a recipe can name."""
    package, kubernetes = yaml.safe_load_all(cluster_package(recipe, "recertify"))
    executors = package["deploymentSpec"]["executors"]
    signers = [label for label in executors if "secretAsVolume" in pod_of((package, kubernetes), label)]
    assert signers == ["exec-conclude"]
    assert {step_name(one) for one in executors.values()} == {"fetch-champion", "retest", "conclude"}


@pytest.mark.parametrize("pipeline", pipeline_names())
def test_every_step_of_every_pipeline_can_be_named_in_a_recipe(recipe, pipeline):
    package = next(yaml.safe_load_all(cluster_package(recipe, pipeline)))
    assert {step_name(one) for one in package["deploymentSpec"]["executors"].values()} <= set(get_args(StepName))


def test_both_documents_are_what_kubeflow_reads(documents, tmp_path):
    json_format.ParseDict(documents[0], PipelineSpec())
    json_format.ParseDict(documents[1], PlatformSpec())
    (tmp_path / "package.yaml").write_text(yaml.safe_dump_all(documents))
    assert load_component_from_file(str(tmp_path / "package.yaml")).name == "compress"


def test_every_container_runs_the_image_as_nobody_special_and_may_be_tried_again(documents):
    executors = documents[0]["deploymentSpec"]["executors"]
    assert {one["container"]["image"] for one in executors.values()} == {IMAGE}
    for label in executors:
        assert pod_of(documents, label)["securityContext"] == {
            "runAsUser": "10001",
            "runAsGroup": "10001",
            "runAsNonRoot": True,
        }
    graphs = [documents[0]["root"], *documents[0]["components"].values()]
    tasks = [task for graph in graphs for task in graph.get("dag", {}).get("tasks", {}).values()]
    run = [t for t in tasks if "executorLabel" in documents[0]["components"][t["componentRef"]["name"]]]
    assert len(run) == 11
    assert all(task["retryPolicy"]["maxRetryCount"] == 3 for task in run)
    (loop,) = [task for task in tasks if "parameterIterator" in task]
    assert loop["iteratorPolicy"] == {"parallelismLimit": 5}


def test_all_that_a_component_does_is_equipped_alike(documents):
    """Every task that evaluates, the tests among them, has the resources of evaluate."""
    executors = documents[0]["deploymentSpec"]["executors"]
    evaluating = [one["container"]["resources"] for one in executors.values() if step_name(one) == "evaluate"]
    assert len(evaluating) == 4
    assert all(found == evaluating[0] for found in evaluating)
    assert evaluating[0]["resourceCpuLimit"] == "2"


def test_scratch_may_be_a_volume_of_a_storage_class(recipe):
    platform = Platform.model_validate({"scratch": {"size": "200Gi", "storage_class": "fast"}})
    documents = list(yaml.safe_load_all(platform_package(platform, "compress", IMAGE)))
    config = json_format.ParseDict(pod_of(documents, "exec-prune"), KubernetesExecutorConfig())
    (volume,) = config.generic_ephemeral_volume
    assert (volume.mount_path, volume.size, volume.storage_class_name) == ("/tmp", "200Gi", "fast")
    assert list(volume.access_modes) == ["ReadWriteOnce"]
    assert not config.empty_dir_mounts


@pytest.mark.parametrize("name", pipeline_names())
def test_kubernetes_objects_are_those_that_kubeflow_writes(tmp_path, name):
    """Pipeline and PipelineVersion of kfp's own compiler, for the same package, names and namespace."""
    package = platform_package(Platform(), name, IMAGE)
    documents = list(yaml.safe_load_all(package))
    (tmp_path / "plain.yaml").write_text(yaml.safe_dump(documents[0]))
    version = version_name(f"sentei-{name}", package)
    options = KubernetesManifestOptions(
        pipeline_name=f"sentei-{name}",
        pipeline_version_name=version,
        pipeline_version_display_name=version,
        namespace="ours",
        include_pipeline_manifest=True,
    )
    loaded = load_component_from_file(str(tmp_path / "plain.yaml"))
    Compiler().compile(
        loaded, str(tmp_path / "theirs.yaml"), kubernetes_manifest_format=True, kubernetes_manifest_options=options
    )
    theirs = list(yaml.safe_load_all((tmp_path / "theirs.yaml").read_text()))
    ours = list(yaml.safe_load_all(pipeline_manifests(package, "ours")))
    assert ours[1]["spec"].pop("platformSpec") == documents[1]
    for mine, other in zip(ours, theirs, strict=True):
        mine["spec"].pop("description", None)
        other["spec"].pop("description", None)
        assert mine == other


def test_a_version_is_named_after_its_content(recipe):
    package = cluster_package(recipe)
    assert cluster_package(recipe) == package
    other = cluster_package(recipe, image=IMAGE + "0")
    assert version_name("sentei-compress", package) != version_name("sentei-compress", other)


@pytest.mark.parametrize(
    ("image", "told"),
    [
        (None, "platform.image: expected the image of the components, found none"),
        ("registry.example/sentei", "expected a tag other than latest, or a digest"),
        ("registry.example:5000/sentei:latest", "expected a tag other than latest"),
        ("a b:1", "expected the name of an image"),
    ],
)
def test_an_image_that_is_not_pinned_is_refused(image, told):
    with pytest.raises(RecipeError, match=told):
        cluster_package(parse_recipe(recipe_text("digits")), image=image)


@pytest.mark.parametrize("image", ["sentei@sha256:" + "0" * 64, "localhost:5000/a/b:1", "sentei:1@sha256:" + "f" * 64])
def test_a_pinned_image_is_taken(image):
    text = cluster_package(parse_recipe(recipe_text("digits")), image=image)
    load_component_from_text(text.partition("\n---\n")[0])
    assert image in text
