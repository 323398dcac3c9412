"""Every name in a pod or another object that stands for an object elsewhere, with the keys that are read."""

from collections.abc import Iterator

from tests.manifests.rendered import Object, Pod, namespace_of, of_kind, pods

Reference = tuple[str, str, str | None]  # namespace, kind/name, key


def references(objects: list[Object]) -> list[Reference]:
    """What this render relies on."""
    found = [(pod.namespace, *one) for pod in pods(objects) for one in _of_pod(pod)]
    for one in of_kind(objects, "Ingress"):
        found += [(namespace_of(one), f"Secret/{tls['secretName']}", "tls.key") for tls in one["spec"]["tls"]]
    for one in of_kind(objects, "RoleBinding"):
        found.append((namespace_of(one), f"{one['roleRef']['kind']}/{one['roleRef']['name']}", None))
        found += [
            (who.get("namespace", namespace_of(one)), f"{who['kind']}/{who['name']}", None) for who in one["subjects"]
        ]
    return found


def _of_pod(pod: Pod) -> Iterator[tuple[str, str | None]]:
    yield f"ServiceAccount/{pod.spec.get('serviceAccountName', 'default')}", None
    for container in pod.containers:
        for source in container.get("envFrom", []):
            kind = "Secret" if "secretRef" in source else "ConfigMap"
            yield f"{kind}/{source[f'{kind[0].lower()}{kind[1:]}Ref']['name']}", None
        for variable in container.get("env", []):
            value = variable.get("valueFrom", {})
            if "secretKeyRef" in value:
                yield f"Secret/{value['secretKeyRef']['name']}", value["secretKeyRef"]["key"]
            if "configMapKeyRef" in value:
                yield f"ConfigMap/{value['configMapKeyRef']['name']}", value["configMapKeyRef"]["key"]
    for volume in pod.spec.get("volumes", []):
        if "secret" in volume:
            yield f"Secret/{volume['secret']['secretName']}", None
        if "configMap" in volume:
            yield f"ConfigMap/{volume['configMap']['name']}", None
        if "persistentVolumeClaim" in volume:
            yield f"PersistentVolumeClaim/{volume['persistentVolumeClaim']['claimName']}", None
