"""What one step's pod gets: resources, secrets, volumes, places, as Kubeflow's two documents spell them."""

import json
from typing import Any

from sentei.recipe.kubernetes_forms import seconds
from sentei.recipe.platform import Accelerator, Platform, Step, Toleration

SCRATCH = "/tmp"  # in the container: the one place that every pod may write to
KEYS = "/etc/sentei/signing"
SIGNERS = ("register", "conclude")
TRAINERS = ("train", "finetune")
_SCALE = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15, "E": 10**18}
_SCALE |= {f"{unit}i": 1024 ** (index + 1) for index, unit in enumerate("KMGTPE")}


def resources(step: Step) -> dict[str, Any]:
    """A container's resources, in the spelling of this and of older servers; limits equal requests unless named.

    Example:
        >>> resources(Step(cpu="500m", memory="2Gi"))["cpuLimit"]
        0.5
    """
    asked = {
        "cpuRequest": step.cpu,
        "cpuLimit": step.cpu_limit or step.cpu,
        "memoryRequest": step.memory,
        "memoryLimit": step.memory_limit or step.memory,
    }
    found: dict[str, Any] = {}
    for name, amount in asked.items():
        if amount:
            found[name] = _cores(amount) if name.startswith("cpu") else _gigabytes(amount)
            found[f"resource{name[0].upper()}{name[1:]}"] = amount
    if step.accelerator:
        found["accelerator"] = _accelerator(step.accelerator)
    return found


def executor_config(name: str, platform: Platform, image: str) -> tuple[dict[str, Any], dict[str, str]]:
    """What Kubeflow's Kubernetes document says of one step, and the environment that its places and secrets need.

    Args:
        name: A component.
        platform: Of the recipe.
        image: Of the components.
    """
    step, secrets = platform.step(name), platform.secrets
    config: dict[str, Any] = {"securityContext": _security(platform)}
    environment = {"HOME": SCRATCH, "SENTEI_CACHE": f"{SCRATCH}/examples", **platform.environment}
    if name in TRAINERS:
        environment |= _of_nodes(step, platform, image)
    config |= _scratch(platform)
    mounts = [(mount.claim, mount.at) for mount in platform.mounts]
    if platform.workspace:
        mounts.insert(0, (platform.workspace.claim, platform.workspace.at))
        environment["SENTEI_CACHE"] = f"{platform.workspace.at}/examples"
        environment["SENTEI_CHECKPOINTS"] = f"{platform.workspace.at}/checkpoints"
    if mounts:
        config["pvcMount"] = [
            {"constant": claim, "mountPath": at, "pvcNameParameter": _constant(claim)} for claim, at in mounts
        ]
    if from_secrets := _secret_variables(name, platform):
        config["secretAsEnv"] = from_secrets
    if secrets.signing and name in SIGNERS:
        config["secretAsVolume"] = [{**_secret(secrets.signing), "mountPath": KEYS, "optional": False}]
        environment["SENTEI_SIGNING_KEY"] = f"{KEYS}/sentei.key"
    if secrets.pull:
        config["imagePullSecret"] = [_secret(secrets.pull)]
    return config | _placement(step), environment


def _of_nodes(step: Step, platform: Platform, image: str) -> dict[str, str]:
    """What a step hands on to the nodes of its TrainJob, if its recipe asks for several."""
    handed = {"SENTEI_IMAGE": image}
    if platform.secrets.s3:
        handed["SENTEI_TRAINJOB_SECRET"] = platform.secrets.s3
    if asked := {name: amount for name in ("cpu", "memory") if (amount := getattr(step, name))}:
        handed["SENTEI_TRAINJOB_RESOURCES"] = json.dumps(asked, sort_keys=True)
    return handed


def _security(platform: Platform) -> dict[str, Any]:
    user, group = platform.security.user, platform.security.group
    return {"runAsUser": str(user), "runAsGroup": str(group), "runAsNonRoot": True}


def _scratch(platform: Platform) -> dict[str, Any]:
    scratch = platform.scratch
    place = {"volumeName": "scratch", "mountPath": SCRATCH}
    if scratch.storage_class is None:
        return {"emptyDirMounts": [{**place, "sizeLimit": scratch.size}]}
    volume = {"accessModes": ["ReadWriteOnce"], "size": scratch.size, "storageClassName": scratch.storage_class}
    return {"genericEphemeralVolume": [{**place, **volume}]}


def _secret_variables(name: str, platform: Platform) -> list[dict[str, Any]]:
    secrets = platform.secrets
    found: list[dict[str, Any]] = []
    if secrets.s3:
        keys = {"access_key_id": "AWS_ACCESS_KEY_ID", "secret_access_key": "AWS_SECRET_ACCESS_KEY"}
        found.append(_variables(secrets.s3, keys))
    if secrets.mlflow:
        keys = {"username": "MLFLOW_TRACKING_USERNAME", "password": "MLFLOW_TRACKING_PASSWORD"}
        found.append(_variables(secrets.mlflow, keys))
    if secrets.signing and name in SIGNERS:  # a key may have no password
        found.append(_variables(secrets.signing, {"password": "SENTEI_SIGNING_PASSWORD"}) | {"optional": True})
    return found


def _variables(secret: str, keys: dict[str, str]) -> dict[str, Any]:
    pairs = [{"secretKey": key, "envVar": variable} for key, variable in keys.items()]
    return {**_secret(secret), "keyToEnv": pairs, "optional": False}


def _secret(name: str) -> dict[str, Any]:
    return {"secretName": name, "secretNameParameter": _constant(name)}


def _constant(value: str) -> dict[str, Any]:
    return {"runtimeValue": {"constant": value}}


def _placement(step: Step) -> dict[str, Any]:
    placed: dict[str, Any] = {}
    if step.node_selector:
        placed["nodeSelector"] = {"labels": dict(step.node_selector)}
    if step.tolerations:
        placed["tolerations"] = [_toleration(one) for one in step.tolerations]
    if step.timeout:
        placed["activeDeadlineSeconds"] = str(seconds(step.timeout))  # a 64-bit integer is a text in this JSON
    if step.shared_memory:
        placed["enabledSharedMemory"] = {"volumeName": "shm", "size": step.shared_memory}
    return placed


def _toleration(one: Toleration) -> dict[str, str]:
    told = {"key": one.key, "operator": one.operator, "value": one.value, "effect": one.effect}
    return {name: value for name, value in told.items() if value is not None}


def _accelerator(accelerator: Accelerator) -> dict[str, str]:
    kind, count = accelerator.type, str(accelerator.count)
    return {"type": kind, "count": count, "resourceType": kind, "resourceCount": count}


def _cores(amount: str) -> float:
    return int(amount[:-1]) / 1000 if amount.endswith("m") else float(amount)


def _gigabytes(amount: str) -> float:
    digits = amount.rstrip("EPTGMKi")
    return int(digits) * _SCALE[amount[len(digits) :]] / 10**9
