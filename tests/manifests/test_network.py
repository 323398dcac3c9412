"""Who reaches whom: what a run needs, and nothing else."""

import pytest

from tests.manifests import neighbours
from tests.manifests.reachability import reaches, reaches_address
from tests.manifests.rendered import pods
from tests.manifests.rules import runs_in

OUTSIDE, MACHINE, CONTROL_PLANE = "52.218.0.1", "169.254.169.254", "172.18.0.2"


@pytest.fixture
def people(objects):
    """Everybody by a short name: the pods of the overlay, of pipelines, of Kubeflow, and strangers."""
    space = runs_in(objects)
    ours = {pod.name.partition("/")[2]: pod for pod in pods(objects)}
    others = (neighbours.pipeline(space), neighbours.trainer(space), neighbours.names(), neighbours.edge())
    kubeflow = {name: neighbours.kubeflow(name) for name in neighbours.SERVICES}
    strangers = {"stranger": neighbours.stranger(), "colleague": neighbours.stranger(space)}
    return ours | {pod.name: pod for pod in others} | kubeflow | strangers


PORTS = {"mlflow": 5000, "postgres": 5432, "object-store": 8333, "api": 8887, "metadata": 8080, "s3": 8333}
ALWAYS = {
    ("pipeline", "mlflow"),
    ("pipeline", "api"),
    ("pipeline", "metadata"),
    ("pipeline", "s3"),
    ("trainer", "mlflow"),
    ("mlflow-accounts", "mlflow"),
}
ALLOWED = {
    "kind": ALWAYS
    | {
        ("mlflow", "postgres"),
        ("mlflow", "object-store"),
        ("object-store-buckets", "object-store"),
        ("pipeline", "object-store"),
        ("trainer", "object-store"),
    },
    "production": ALWAYS | {("edge", "mlflow")},
}


def test_exactly_these_connections_are_open(objects, overlay, people):
    """Of all pairs of a pod that calls and a service; no policy of ours binds a stranger on its way to Kubeflow."""
    callers = people.keys() - neighbours.SERVICES.keys() - {"names"}
    open_ways = {
        (source, target)
        for source in callers
        for target in PORTS.keys() & people.keys()
        if source != target and reaches(objects, people[source], people[target], PORTS[target])
    }
    unbound = {("edge", name) for name in neighbours.SERVICES} | {
        (who, name) for who in ("stranger", "colleague") for name in neighbours.SERVICES
    }
    assert open_ways - unbound == ALLOWED[overlay]


def test_everybody_finds_names(objects, people):
    for name in ("pipeline", "trainer", "mlflow"):
        assert reaches(objects, people[name], people["names"], 53, "UDP")


def test_no_other_port_of_a_service_is_open(objects, people):
    assert not reaches(objects, people["pipeline"], people["mlflow"], 5432)
    assert not reaches(objects, people["pipeline"], people["s3"], 9333)


def test_nodes_of_a_training_meet_on_any_port(objects, people):
    trainer = people["trainer"]
    assert reaches(objects, trainer, trainer, 29500)
    assert reaches(objects, trainer, trainer, 41873)
    assert not reaches(objects, people["pipeline"], trainer, 29500)
    assert not reaches(objects, trainer, people["pipeline"], 29500)


def test_nobody_calls_a_pipeline(objects, people):
    callers = [pod for name, pod in people.items() if name != "pipeline"]
    assert not any(reaches(objects, pod, people["pipeline"], port) for pod in callers for port in (80, 443, 8080))


@pytest.mark.parametrize("port", [80, 443])
def test_nobody_reads_the_metadata_of_the_machine(objects, people, port):
    """There the node's own role could be taken."""
    bound = [pod for name, pod in people.items() if name in ("pipeline", "trainer", "mlflow", "mlflow-accounts")]
    assert not any(reaches_address(objects, pod, MACHINE, port) for pod in bound)


def test_pipelines_report_to_kubernetes(objects, people):
    assert reaches_address(objects, people["pipeline"], CONTROL_PLANE, 6443)
    assert not reaches_address(objects, people["mlflow"], CONTROL_PLANE, 6443)
    assert not reaches_address(objects, people["pipeline"], CONTROL_PLANE, 22)


def test_only_production_goes_outside_and_only_by_tls(objects, overlay, people):
    for name in ("pipeline", "trainer", "mlflow"):
        assert reaches_address(objects, people[name], OUTSIDE, 443) == (overlay == "production")
        assert not reaches_address(objects, people[name], OUTSIDE, 80)
