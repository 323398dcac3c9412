"""A container of a render as a process of this machine: the command and environment that the kubelet would give it."""

import base64
import re
import sys
from pathlib import Path

from tests.manifests.rendered import Object, Pod, named

_VARIABLE = re.compile(r"\$\((\w+)\)")


def environment(objects: list[Object], secrets: list[Object], pod: Pod) -> dict[str, str]:
    """The variables of the pod's container, from the ConfigMaps and Secrets that it names."""
    (container,) = pod.containers
    variables: dict[str, str] = {}
    for source in container.get("envFrom", []):
        variables |= named(objects, f"ConfigMap/{source['configMapRef']['name']}", pod.namespace)["data"]
    for one in container.get("env", []):
        if "value" in one:
            variables[one["name"]] = one["value"]
        else:
            reference = one["valueFrom"]["secretKeyRef"]
            data = named(secrets, f"Secret/{reference['name']}", pod.namespace)["data"]
            variables[one["name"]] = base64.b64decode(data[reference["key"]]).decode()
    return variables


def arguments(pod: Pod, variables: dict[str, str]) -> list[str]:
    """Command and arguments, with ``$(NAME)`` replaced; programs are those of this Python."""
    (container,) = pod.containers
    words = [*container.get("command", []), *container.get("args", [])]
    given = [_VARIABLE.sub(lambda found: variables[found[1]], word) for word in words]
    return [str(Path(sys.executable).with_name(given[0])), *given[1:]]


def mounted(objects: list[Object], pod: Pod, folder: Path) -> dict[str, str]:
    """Where the ConfigMaps that the container mounts now lie on this machine, by the path they have in it."""
    (container,) = pod.containers
    volumes = {volume["name"]: volume for volume in pod.spec["volumes"]}
    places = {}
    for mount in container["volumeMounts"]:
        if (source := volumes[mount["name"]].get("configMap")) is None:
            continue
        place = folder / mount["name"]
        place.mkdir()
        for name, text in named(objects, f"ConfigMap/{source['name']}", pod.namespace)["data"].items():
            (place / name).write_text(text)
        places[mount["mountPath"]] = str(place)
    return places
