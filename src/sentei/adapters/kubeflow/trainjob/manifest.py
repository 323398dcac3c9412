"""The TrainJob that trains a request, as the Kubernetes API takes it."""

import json
import os
from collections.abc import Mapping
from typing import Any

from sentei.errors import ServiceError
from sentei.recipe.distributed import Distributed

GROUP, VERSION, KIND, PLURAL = "trainer.kubeflow.org", "v1alpha1", "TrainJob", "trainjobs"
REQUEST, ATTEMPT = "sentei-request", "sentei-attempt"
"""Annotations: the digest of the request that the job trains, and the name of this run of it."""
PASSED_ON = (
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_CA_BUNDLE",
    "MLFLOW_TRACKING_URI",
    "SENTEI_FACTORIES",
)
"""What the nodes find in their environment as the step does; never a secret."""
SECRETS = {"AWS_ACCESS_KEY_ID": "access_key_id", "AWS_SECRET_ACCESS_KEY": "secret_access_key"}
"""Variables that come from a Secret, and the keys that it has for them: those that the steps' own pods read."""


def name_of(stage: str, request: str) -> str:
    """The job's name: the same for the same request, so that a task that is tried again finds its job.

    Example:
        >>> name_of("train", "0123456789abcdef0123")
        'sentei-train-0123456789abcdef'
    """
    return f"sentei-{stage}-{request[:16]}"


def trainjob(
    stage: str, request: str, attempt: str, place: str, wanted: Distributed, image: str, owner: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The body of the TrainJob.

    Args:
        stage: ``train`` or ``finetune``.
        request: Digest of the request.
        attempt: Names this run.
        place: The exchange.
        wanted: Nodes, processes and time.
        image: What every node runs: the step's own image.
        owner: The step's pod, with which the job goes; None where it is not known.

    Raises:
        ServiceError: ``SENTEI_TRAINJOB_RESOURCES`` is not a JSON object of quantities.
    """
    metadata = {
        "name": name_of(stage, request),
        "labels": {"app.kubernetes.io/managed-by": "sentei", "app.kubernetes.io/component": stage},
        "annotations": {REQUEST: request, ATTEMPT: attempt},
        **({"ownerReferences": [dict(owner)]} if owner else {}),
    }
    run = ["python", "-m", "torch.distributed.run", "-m", "sentei.adapters.kubeflow.trainjob.node"]
    trainer = {
        "image": image,
        "command": [*run, place, request, attempt],
        "env": _environment(wanted),
        "numNodes": wanted.nodes,
        "numProcPerNode": wanted.n_per_node,
        **_resources(wanted),
    }
    spec = {"runtimeRef": _runtime(), "trainer": trainer, "activeDeadlineSeconds": wanted.time_limit_minutes * 60}
    return {"apiVersion": f"{GROUP}/{VERSION}", "kind": KIND, "metadata": metadata, "spec": spec}


def _runtime() -> dict[str, str]:
    """``SENTEI_TRAINING_RUNTIME``: a ClusterTrainingRuntime, or ``TrainingRuntime/name`` in the step's namespace."""
    kind, _, name = os.environ.get("SENTEI_TRAINING_RUNTIME", "torch-distributed").rpartition("/")
    return {"apiGroup": GROUP, "kind": kind or "ClusterTrainingRuntime", "name": name}


def _environment(wanted: Distributed) -> list[dict[str, Any]]:
    env: list[dict[str, Any]] = [
        {"name": name, "value": os.environ[name]} for name in PASSED_ON if os.environ.get(name)
    ]
    secret = os.environ.get("SENTEI_TRAINJOB_SECRET")
    for name, key in SECRETS.items() if secret else ():
        env.append({"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}})
    env.append({"name": "OMP_NUM_THREADS", "value": "1"})
    return env if wanted.gpus_per_node else [*env, {"name": "CUDA_VISIBLE_DEVICES", "value": ""}]


def _resources(wanted: Distributed) -> dict[str, Any]:
    text = os.environ.get("SENTEI_TRAINJOB_RESOURCES", "{}")
    try:
        asked = {str(name): str(amount) for name, amount in dict(json.loads(text)).items()}
    except (ValueError, TypeError) as error:
        raise ServiceError(
            f'SENTEI_TRAINJOB_RESOURCES: expected a JSON object such as {{"cpu": "8", "memory": "64Gi"}}, received '
            f"{text!r}; correct the step's environment"
        ) from error
    if wanted.gpus_per_node:
        asked["nvidia.com/gpu"] = str(wanted.gpus_per_node)
    return {"resourcesPerNode": {"requests": asked, "limits": asked}} if asked else {}
