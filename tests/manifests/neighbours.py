"""Pods that others make in the same cluster, with the labels that those give them.

Kubeflow Pipelines 2.17.0: ``argocompiler/argo.go`` labels every pod of a pipeline, ``manifests/kustomize/base`` its own
services. JobSet labels the pods of a TrainJob. CoreDNS keeps the label of its ancestor.
"""

from tests.manifests.rendered import Pod


def pipeline(namespace: str) -> Pod:
    return _pod("pipeline", namespace, {"pipelines.kubeflow.org/v2_component": "true"})


def trainer(namespace: str) -> Pod:
    return _pod("trainer", namespace, {"jobset.sigs.k8s.io/jobset-name": "train-1"})


DNS = {"k8s-app": "kube-dns"}
SERVICES = {
    "api": {"app": "ml-pipeline"},
    "metadata": {"component": "metadata-grpc-server"},
    "s3": {"app": "seaweedfs"},
}


def names() -> Pod:
    return _pod("names", "kube-system", DNS)


def kubeflow(service: str) -> Pod:
    return _pod(service, "kubeflow", SERVICES[service])


def edge() -> Pod:
    return _pod("edge", "ingress", {})


def stranger(namespace: str = "elsewhere") -> Pod:
    """A pod of somebody else, which may call itself mlflow."""
    return _pod("stranger", namespace, {"app.kubernetes.io/name": "mlflow"} if namespace == "elsewhere" else {})


def _pod(name: str, namespace: str, labels: dict[str, str]) -> Pod:
    return Pod(name, namespace, labels, {"containers": []})
