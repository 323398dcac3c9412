"""A pipeline and its version on the server: uploaded once for each content, by whoever comes first."""

import json
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sentei.adapters.kubeflow.package import version_name
from sentei.adapters.kubeflow.server import Server
from sentei.errors import ServiceError

EQUALS = "EQUALS"
CONTAINS = "IS_SUBSTRING"


def upload(server: Server, pipeline: str, package: str, namespace: str | None) -> Any:
    """The version that holds this package; a new one only if none does.

    Args:
        server: Where.
        pipeline: Name of the pipeline that versions are gathered under.
        package: YAML of two documents.
        namespace: Of the pipeline, on a server that knows users.

    Returns:
        A ``V2beta1PipelineVersion``. Its name ends with the SHA-256 of the package.

    Raises:
        ServiceError: The server refused, or could not be reached.
    """
    made = _pipeline(server, pipeline, namespace)
    name = version_name(pipeline, package)
    listed = partial(server.pipelines.pipeline_service_list_pipeline_versions, made.pipeline_id)
    look = partial(_named, server, f"list the versions of {pipeline}", listed, "pipeline_versions", name)
    if (found := look()) is not None:
        return found
    with TemporaryDirectory() as folder:
        file = Path(folder) / f"{name}.yaml"
        file.write_text(package, encoding="utf-8")
        send = partial(
            server.uploads.upload_pipeline_version,
            *(str(file),),
            name=name,
            display_name=name,
            pipelineid=made.pipeline_id,
        )
        return server.make(f"keep version {name} of {pipeline}", send, look)


def experiment(server: Server, name: str, namespace: str | None) -> Any:
    """The experiment of this name, made if there is none.

    Raises:
        ServiceError: It is archived, or the server refused or could not be reached.
    """
    import kfp_server_api as api

    listed = partial(server.experiments.experiment_service_list_experiments, namespace=namespace)
    look = partial(_named, server, f"list the experiments named {name}", listed, "experiments", name)
    wanted = api.V2beta1Experiment(display_name=name, namespace=namespace)
    create = partial(server.experiments.experiment_service_create_experiment, wanted)
    found = look() or server.make(f"make the experiment {name}", create, look)
    if found.storage_state == "ARCHIVED":
        raise ServiceError(f"experiment {name}: expected one in use, it is archived; restore it, or name another one")
    return found


def matching(operation: str, text: str) -> str:
    """A filter of lists by their names, as the server takes it.

    Args:
        operation: ``EQUALS`` or ``CONTAINS``.
        text: The name, or a part of it.
    """
    predicate = {"operation": operation, "key": "display_name", "string_value": text}
    return json.dumps({"predicates": [predicate]})


def _pipeline(server: Server, name: str, namespace: str | None) -> Any:
    import kfp_server_api as api

    get = partial(server.pipelines.pipeline_service_get_pipeline_by_name, name, namespace=namespace)
    look = partial(server.find, f"find the pipeline {name}", get)
    wanted = api.V2beta1Pipeline(
        name=name,
        display_name=name,
        namespace=namespace,
        description="Makes a network smaller and promotes one only with a certificate.",
    )
    create = partial(server.pipelines.pipeline_service_create_pipeline, wanted)
    return look() or server.make(f"make the pipeline {name}", create, look)


def _named(server: Server, request: str, listed: Any, items: str, name: str) -> Any:
    """The one thing of a list that has exactly this name, or None."""
    found = server.pages(request, partial(listed, filter=matching(EQUALS, name)), items)
    return next((one for one in found if one.display_name == name), None)
