"""What kustomize makes of an overlay, and the pods in it, as values."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
MANIFESTS = ROOT / "manifests"
OVERLAYS = ("kind", "production")
KUBECTL = Path(sys.executable).with_name("kubectl")

Object = dict[str, Any]


@dataclass(frozen=True)
class Pod:
    """A pod as an object's template describes it: where it would run, what it is called by, what runs in it."""

    name: str
    namespace: str
    labels: dict[str, str]
    spec: Object

    @property
    def containers(self) -> list[Object]:
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]

    @property
    def ports(self) -> dict[str, int]:
        return {port["name"]: port["containerPort"] for one in self.containers for port in one.get("ports", [])}


def render(folder: Path) -> list[Object]:
    """Every document of a kustomization."""
    done = subprocess.run([KUBECTL, "kustomize", folder], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def name_of(one: Object) -> str:
    return f"{one['kind']}/{one['metadata']['name']}"


def namespace_of(one: Object) -> str:
    return one["metadata"].get("namespace", "")


def of_kind(objects: list[Object], *kinds: str) -> Iterator[Object]:
    return (one for one in objects if one["kind"] in kinds)


def named(objects: list[Object], name: str, namespace: str = "sentei") -> Object:
    """The one object of this kind and name."""
    (found,) = [one for one in objects if name_of(one) == name and namespace_of(one) in (namespace, "")]
    return found


def pods(objects: list[Object]) -> list[Pod]:
    """One pod for each template."""
    owners = of_kind(objects, "Deployment", "StatefulSet", "DaemonSet", "Job")
    return [
        Pod(
            name_of(one),
            namespace_of(one),
            one["spec"]["template"]["metadata"]["labels"],
            one["spec"]["template"]["spec"],
        )
        for one in owners
    ]


def selects(selector: Object, labels: dict[str, str]) -> bool:
    """Whether a label selector of Kubernetes matches; the empty one matches everything."""
    wanted = selector.get("matchLabels", {})
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        _expression(one, labels) for one in selector.get("matchExpressions", [])
    )


def _expression(one: Object, labels: dict[str, str]) -> bool:
    key, operator, values = one["key"], one["operator"], one.get("values", [])
    return {
        "Exists": key in labels,
        "DoesNotExist": key not in labels,
        "In": labels.get(key) in values,
        "NotIn": labels.get(key) not in values,
    }[operator]
