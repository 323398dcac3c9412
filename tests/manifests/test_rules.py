"""Nothing runs as root, nothing secret is written down, nothing is open that need not be; and every rule can fail."""

import copy
import os

import kubernetes_validate
import pytest
import yaml

from tests.manifests import rules
from tests.manifests.rendered import MANIFESTS, named, render

BUILT_IN = "1.37"


def test_every_document_is_what_kubernetes_knows(objects):
    """Strictly: a field that Kubernetes does not know is an error, and so is a kind without a schema."""
    for one in objects:
        kubernetes_validate.validate(one, BUILT_IN, strict=True)


def test_an_unknown_field_is_noticed(objects):
    broken = copy.deepcopy(named(objects, "Deployment/mlflow"))
    broken["spec"]["template"]["spec"]["containers"][0]["ressources"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="ressources"):
        kubernetes_validate.validate(broken, BUILT_IN, strict=True)


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_it_holds_of_each_overlay(rule, objects):
    assert list(rule(objects)) == []


def test_production_with_a_key_instead_of_a_role(kubectl, tmp_path):
    """The other component: the same rules, no role, and the Secret that the table has for it."""
    parts = {
        "resources": ["overlays/production/mlflow", "overlays/production/runner"],
        "components": ["components/s3-secret"],
    }
    places = {
        kind: [os.path.relpath(MANIFESTS / name, tmp_path.resolve()) for name in names] for kind, names in parts.items()
    }
    head = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(head | places))
    objects = render(tmp_path)

    assert [place for rule in rules.RULES for place in rule(objects)] == []
    missing = {place.split()[1] for place in rules.references_resolve(objects, "production")}
    assert missing == {"Secret/mlflow-s3"}
    assert "role-arn" not in str(objects)


def test_every_reference_resolves(objects, overlay):
    assert list(rules.references_resolve(objects, overlay)) == []


def _pod(objects, name="Deployment/mlflow"):
    return named(objects, name)["spec"]["template"]["spec"]


def _container(objects, name="Deployment/mlflow"):
    return _pod(objects, name)["containers"][0]


def _environment(name, value):
    return lambda objects: _container(objects)["env"].append({"name": name, "value": value})


def _image(image):
    return lambda objects: _container(objects).update(image=image)


def _policy(name, change):
    return lambda objects: change(named(objects, f"NetworkPolicy/{name}")["spec"])


def _arguments(change):
    return lambda objects: _container(objects).update(args=change(_container(objects)["args"]))


def _role(rule):
    def change(objects):
        (role,) = [one for one in objects if one["kind"] == "Role"]
        role["rules"].append(rule)

    return change


SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "sentei"}, "data": {"a": "Yg=="}}
CLUSTER = {"kind": "ClusterRole", "metadata": {"name": "all"}, "rules": []}

# Each is one mistake that somebody could make, and the rule that has to notice it.
MISTAKES = {
    "a pod without a user": (rules.nobody_is_root, lambda o: _pod(o)["securityContext"].pop("runAsUser")),
    "a container as root": (rules.nobody_is_root, lambda o: _container(o)["securityContext"].update(runAsUser=0)),
    "root is not ruled out": (rules.nobody_is_root, lambda o: _pod(o)["securityContext"].pop("runAsNonRoot")),
    "an init container": (
        rules.nobody_is_root,
        lambda o: _pod(o).update(initContainers=[{"name": "i", "image": "i:1", "securityContext": {"runAsUser": 0}}]),
    ),
    "the newest image": (rules.images_are_pinned, _image("docker.io/library/postgres:latest")),
    "an image without a tag": (rules.images_are_pinned, _image("registry.example.com:5000/postgres")),
    "a Secret": (rules.nothing_secret_is_written_down, lambda o: o.append(SECRET)),
    "a password": (rules.nothing_secret_is_written_down, _environment("PGPASSWORD", "tiger")),
    "a key": (rules.nothing_secret_is_written_down, _environment("AWS_SECRET_ACCESS_KEY", "tiger")),
    "a password in a URL": (rules.nothing_secret_is_written_down, _environment("DB", "postgresql://scott:tiger@db/m")),
    "a password in a ConfigMap": (
        rules.nothing_secret_is_written_down,
        lambda o: next(one for one in o if one["kind"] == "ConfigMap")["data"].update(admin_password="tiger"),
    ),
    "no limits": (rules.resources_are_set, lambda o: _container(o)["resources"].pop("limits")),
    "no memory asked for": (rules.resources_are_set, lambda o: _container(o)["resources"]["requests"].pop("memory")),
    "a writable image": (
        rules.roots_are_read_only,
        lambda o: _container(o)["securityContext"].pop("readOnlyRootFilesystem"),
    ),
    "capabilities": (rules.privileges_are_dropped, lambda o: _container(o)["securityContext"].pop("capabilities")),
    "a capability": (
        rules.privileges_are_dropped,
        lambda o: _container(o)["securityContext"]["capabilities"].update(add=["NET_ADMIN"]),
    ),
    "escalation": (
        rules.privileges_are_dropped,
        lambda o: _container(o)["securityContext"].update(allowPrivilegeEscalation=True),
    ),
    "no seccomp": (rules.privileges_are_dropped, lambda o: _pod(o)["securityContext"].pop("seccompProfile")),
    "the host's network": (rules.the_machine_is_left_alone, lambda o: _pod(o).update(hostNetwork=True)),
    "the host's files": (
        rules.the_machine_is_left_alone,
        lambda o: _pod(o)["volumes"].append({"name": "etc", "hostPath": {"path": "/etc"}}),
    ),
    "a token": (rules.no_token_without_need, lambda o: _pod(o).pop("automountServiceAccountToken")),
    "a lax namespace": (
        rules.namespaces_are_restricted,
        lambda o: named(o, "Namespace/sentei")["metadata"].pop("labels"),
    ),
    "any verb": (rules.rights_are_few, _role({"apiGroups": [""], "resources": ["pods"], "verbs": ["*"]})),
    "every Secret": (rules.rights_are_few, _role({"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]})),
    "a cluster role": (rules.rights_are_few, lambda o: o.append(CLUSTER)),
    "a policy for nobody": (
        rules.policies_select_something,
        _policy("mlflow", lambda spec: spec.update(podSelector={"matchLabels": {"app": "mlflow"}})),
    ),
    "no default deny": (
        rules.everything_is_denied_by_default,
        lambda o: o.remove(named(o, "NetworkPolicy/default-deny")),
    ),
    "a default that allows": (
        rules.everything_is_denied_by_default,
        _policy("default-deny", lambda spec: spec.update(egress=[{}])),
    ),
    "one direction only": (
        rules.everything_is_denied_by_default,
        _policy("default-deny", lambda spec: spec.update(policyTypes=["Ingress"])),
    ),
    "a service for nobody": (
        rules.services_select_something,
        lambda o: named(o, "Service/mlflow")["spec"].update(selector={"app": "mlflow"}),
    ),
    "a port that nobody has": (
        rules.services_select_something,
        lambda o: named(o, "Service/mlflow")["spec"]["ports"][0].update(targetPort="https"),
    ),
    "a selector beside its pods": (
        rules.owners_select_their_pods,
        lambda o: named(o, "Deployment/mlflow")["spec"]["selector"].update(matchLabels={"app": "mlflow"}),
    ),
    "no probe": (rules.owners_select_their_pods, lambda o: _container(o).pop("readinessProbe")),
    "a mount without a volume": (rules.mounts_have_volumes, lambda o: _pod(o)["volumes"].pop()),
    "any host": (
        rules.mlflow_names_its_hosts,
        _arguments(lambda args: [a for a in args if not a.startswith("--allowed-hosts")] + ["--allowed-hosts=*"]),
    ),
    "no hosts": (
        rules.mlflow_names_its_hosts,
        _arguments(lambda args: [a for a in args if not a.startswith("--allowed-hosts")]),
    ),
    "no accounts": (rules.mlflow_names_its_hosts, _arguments(lambda args: [a for a in args if "basic-auth" not in a])),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_noticed(mistake, objects):
    rule, make = MISTAKES[mistake]
    broken = copy.deepcopy(objects)
    make(broken)
    assert list(rule(broken)) != []


def test_every_rule_has_a_mistake_that_breaks_it():
    assert {rule for rule, _ in MISTAKES.values()} == set(rules.RULES)


@pytest.mark.parametrize("kind", ["Secret", "ConfigMap", "ServiceAccount"])
def test_a_reference_to_nothing_is_noticed(kind, objects, overlay):
    broken = copy.deepcopy(objects)
    if kind == "Secret":
        reference = {"secretKeyRef": {"name": "mlflow-auth", "key": "PASSWORD"}}
        _container(broken)["env"].append({"name": "A", "valueFrom": reference})
    elif kind == "ConfigMap":
        _container(broken)["envFrom"][0]["configMapRef"]["name"] = "mlflow-settings"
    else:
        _pod(broken)["serviceAccountName"] = "mlflo"
    assert [place for place in rules.references_resolve(broken, overlay) if kind in place]
