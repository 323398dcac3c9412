"""What must hold of everything that is applied to a cluster; each rule gives the places where it does not."""

import re
from collections.abc import Callable, Iterator

from tests.manifests import neighbours
from tests.manifests.brought import brought
from tests.manifests.reachability import isolated
from tests.manifests.references import references
from tests.manifests.rendered import Object, Pod, name_of, namespace_of, of_kind, pods, selects

_CREDENTIAL = re.compile(r"PASSWORD|SECRET|TOKEN|CREDENTIAL|ACCESS_?KEY|API_?KEY|PRIVATE", re.IGNORECASE)
_USER_IN_URL = re.compile(r"://[^/\s@]*:[^/\s@]+@")
_PINNED = re.compile(r".+(:(?!latest$)[\w][\w.-]*|@sha256:[0-9a-f]{64})")


def nobody_is_root(objects: list[Object]) -> Iterator[str]:
    for pod, container in _containers(objects):
        context = {**pod.spec.get("securityContext", {}), **container.get("securityContext", {})}
        if context.get("runAsNonRoot") is not True or not context.get("runAsUser"):
            yield f"{pod.name} {container['name']}: runs as user {context.get('runAsUser')}"


def images_are_pinned(objects: list[Object]) -> Iterator[str]:
    for pod, container in _containers(objects):
        if not _PINNED.fullmatch(container["image"].rpartition("/")[2]):
            yield f"{pod.name} {container['name']}: {container['image']}"


def nothing_secret_is_written_down(objects: list[Object]) -> Iterator[str]:
    for one in of_kind(objects, "Secret"):
        yield f"{name_of(one)}: a Secret in the repository"
    literals = [
        (pod.name, env["name"]) for pod, box in _containers(objects) for env in box.get("env", []) if "value" in env
    ]
    literals += [(name_of(one), key) for one in of_kind(objects, "ConfigMap") for key in one["data"]]
    yield from (f"{where}: {key} is written down" for where, key in literals if _CREDENTIAL.search(key))
    yield from (f"{name_of(one)}: a URL with a password" for one in objects if _USER_IN_URL.search(str(one)))


def resources_are_set(objects: list[Object]) -> Iterator[str]:
    for pod, container in _containers(objects):
        resources = container.get("resources", {})
        for which in ("requests", "limits"):
            if not {"cpu", "memory"} <= resources.get(which, {}).keys():
                yield f"{pod.name} {container['name']}: no {which}"


def roots_are_read_only(objects: list[Object]) -> Iterator[str]:
    for pod, container in _containers(objects):
        if container.get("securityContext", {}).get("readOnlyRootFilesystem") is not True:
            yield f"{pod.name} {container['name']}: writes to its image"


def privileges_are_dropped(objects: list[Object]) -> Iterator[str]:
    for pod, container in _containers(objects):
        context = {**pod.spec.get("securityContext", {}), **container.get("securityContext", {})}
        wanted = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
        if any(context.get(key) != value for key, value in wanted.items()) or context.get("privileged"):
            yield f"{pod.name} {container['name']}: keeps privileges"
        if context.get("seccompProfile") != {"type": "RuntimeDefault"}:
            yield f"{pod.name} {container['name']}: no seccomp profile"


def the_machine_is_left_alone(objects: list[Object]) -> Iterator[str]:
    for pod in pods(objects):
        shared = [key for key in ("hostNetwork", "hostPID", "hostIPC") if pod.spec.get(key)]
        shared += [volume["name"] for volume in pod.spec.get("volumes", []) if "hostPath" in volume]
        yield from (f"{pod.name}: {key}" for key in shared)


def no_token_without_need(objects: list[Object]) -> Iterator[str]:
    for pod in pods(objects):
        if pod.spec.get("automountServiceAccountToken") is not False:
            yield f"{pod.name}: carries a token for Kubernetes"


def namespaces_are_restricted(objects: list[Object]) -> Iterator[str]:
    for one in of_kind(objects, "Namespace"):
        if one["metadata"].get("labels", {}).get("pod-security.kubernetes.io/enforce") != "restricted":
            yield f"{name_of(one)}: admits more than the profile 'restricted'"


def rights_are_few(objects: list[Object]) -> Iterator[str]:
    for one in of_kind(objects, "ClusterRole", "ClusterRoleBinding"):
        yield f"{name_of(one)}: reaches beyond its namespace"
    for one in of_kind(objects, "Role"):
        for rule in one["rules"]:
            if "*" in (*rule["verbs"], *rule["resources"], *rule["apiGroups"]):
                yield f"{name_of(one)}: a wildcard"
            if "secrets" in rule["resources"] and not rule.get("resourceNames"):
                yield f"{name_of(one)}: reads every Secret"


def policies_select_something(objects: list[Object]) -> Iterator[str]:
    for one in of_kind(objects, "NetworkPolicy"):
        here = [pod for pod in _everybody(objects) if pod.namespace == namespace_of(one)]
        if not any(selects(one["spec"]["podSelector"], pod.labels) for pod in here):
            yield f"{name_of(one)}: selects nothing"


def everything_is_denied_by_default(objects: list[Object]) -> Iterator[str]:
    for pod in _everybody(objects):
        for direction in ("Ingress", "Egress"):
            if not isolated(objects, pod, direction):
                yield f"{pod.name}: {direction} is open"
    denied = [one for one in of_kind(objects, "NetworkPolicy") if one["spec"]["podSelector"] == {}]
    closed = {
        namespace_of(one)
        for one in denied
        if set(one["spec"]["policyTypes"]) == {"Ingress", "Egress"} and not {"ingress", "egress"} & one["spec"].keys()
    }
    spaces = {one["metadata"]["name"] for one in of_kind(objects, "Namespace")}
    yield from (f"{space}: no default deny" for space in sorted(spaces - closed))


def services_select_something(objects: list[Object]) -> Iterator[str]:
    for one in of_kind(objects, "Service"):
        behind = [pod for pod in _here(objects, one) if selects({"matchLabels": one["spec"]["selector"]}, pod.labels)]
        if not behind or any(port["targetPort"] not in pod.ports for pod in behind for port in one["spec"]["ports"]):
            yield f"{name_of(one)}: no pod has its ports"
    for one in of_kind(objects, "PodDisruptionBudget"):
        if not any(selects(one["spec"]["selector"], pod.labels) for pod in _here(objects, one)):
            yield f"{name_of(one)}: selects nothing"


def owners_select_their_pods(objects: list[Object]) -> Iterator[str]:
    for one in of_kind(objects, "Deployment", "StatefulSet"):
        if not selects(one["spec"]["selector"], one["spec"]["template"]["metadata"]["labels"]):
            yield f"{name_of(one)}: its selector misses its own pods"
        if not all({"startupProbe", "readinessProbe", "livenessProbe"} <= box.keys() for box in _boxes(one)):
            yield f"{name_of(one)}: nobody asks whether it works"


def references_resolve(objects: list[Object], overlay: str) -> Iterator[str]:
    there = brought(overlay)
    for one in objects:
        there[namespace_of(one), name_of(one)] = set(one.get("data", {}))
    for space, name, key in references(objects):
        if (space, name) not in there or (key and key not in there[space, name]):
            yield f"{space} {name} {key or ''}: neither made here nor named in manifests/README.md"


def mounts_have_volumes(objects: list[Object]) -> Iterator[str]:
    claims = {
        name_of(one): {claim["metadata"]["name"] for claim in one["spec"].get("volumeClaimTemplates", [])}
        for one in objects
        if "template" in one.get("spec", {})
    }
    for pod, container in _containers(objects):
        there = {volume["name"] for volume in pod.spec.get("volumes", [])} | claims[pod.name]
        missing = {mount["name"] for mount in container.get("volumeMounts", [])} - there
        yield from (f"{pod.name}: mounts {name}, which is no volume" for name in sorted(missing))


def mlflow_names_its_hosts(objects: list[Object]) -> Iterator[str]:
    settings = {key: value for one in of_kind(objects, "ConfigMap") for key, value in one["data"].items()}
    for pod, container in _containers(objects):
        if "mlflow" in container.get("command", []):
            given = dict(argument.partition("=")[::2] for argument in container["args"])
            hosts = given.get("--allowed-hosts", "").replace("$(MLFLOW_HOSTS)", settings.get("MLFLOW_HOSTS", ""))
            if not hosts or "*" in hosts.split(",") or given.get("--app-name") != "basic-auth":
                yield f"{pod.name}: answers to any name, or to anybody"


RULES: tuple[Callable[[list[Object]], Iterator[str]], ...] = (
    nobody_is_root,
    images_are_pinned,
    nothing_secret_is_written_down,
    resources_are_set,
    roots_are_read_only,
    privileges_are_dropped,
    the_machine_is_left_alone,
    no_token_without_need,
    namespaces_are_restricted,
    rights_are_few,
    policies_select_something,
    everything_is_denied_by_default,
    services_select_something,
    owners_select_their_pods,
    mounts_have_volumes,
    mlflow_names_its_hosts,
)


def runs_in(objects: list[Object]) -> str:
    """The namespace that pipelines run in."""
    (account,) = [one for one in of_kind(objects, "ServiceAccount") if one["metadata"]["name"] == "sentei-runner"]
    return namespace_of(account)


def _everybody(objects: list[Object]) -> list[Pod]:
    space = runs_in(objects)
    return [*pods(objects), neighbours.pipeline(space), neighbours.trainer(space)]


def _here(objects: list[Object], one: Object) -> list[Pod]:
    return [pod for pod in pods(objects) if pod.namespace == namespace_of(one)]


def _boxes(one: Object) -> list[Object]:
    return one["spec"]["template"]["spec"]["containers"]


def _containers(objects: list[Object]) -> Iterator[tuple[Pod, Object]]:
    return ((pod, container) for pod in pods(objects) for container in pod.containers)
