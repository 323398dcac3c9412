"""A pipeline as objects of Kubernetes, for a Kubeflow that keeps its pipelines there."""

from typing import Any

import yaml

from sentei.adapters.kubeflow.package import uploaded_as, version_name

API_VERSION = "pipelines.kubeflow.org/v2beta1"


def pipeline_manifests(package: str, namespace: str) -> str:
    """A ``Pipeline`` and its ``PipelineVersion``, as YAML to apply, under the names that an upload would give them.

    Args:
        package: A pipeline's package, of one or two documents.
        namespace: Where Kubeflow looks for pipelines.

    Source:
        Kubeflow Pipelines 2.17, the custom resources Pipeline and PipelineVersion.
    """
    spec, *platform = yaml.safe_load_all(package)
    name = uploaded_as(spec["pipelineInfo"]["name"])
    version = version_name(name, package)
    told: dict[str, Any] = {"displayName": version, "pipelineName": name, "pipelineSpec": spec}
    told |= {"platformSpec": platform[0]} if platform else {}
    about = {"description": text} if (text := spec["pipelineInfo"].get("description")) else {}
    pipeline = _object("Pipeline", name, namespace, {"displayName": name, **about})
    return yaml.safe_dump_all([pipeline, _object("PipelineVersion", version, namespace, {**told, **about})])


def _object(kind: str, name: str, namespace: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }
