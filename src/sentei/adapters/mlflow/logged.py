"""A bundle as a logged model of its run: the certified network to serve; beside it the bundle, without evidence."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from sentei.adapters.mlflow.connection import tracking_uri
from sentei.adapters.mlflow.promotion import Standing
from sentei.adapters.mlflow.served import MODEL, describe
from sentei.certificate.canonical import sha256_hex
from sentei.errors import ServiceError
from sentei.steps.layout import CERTIFICATE, DENSE, USED, Artifact

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel, Run

ONNX = f"model/{MODEL}"
# What each variant did on each calibration row stays with the released bundle: whoever compares variants by it chooses
# the next family by the rows that shall judge it. The dense model and the list of rows are there for size.
WITHHELD = ("evidence", "comparison-*", DENSE, USED)


def log_model(client: "MlflowClient", artifact: Artifact, standing: Standing, run: "Run") -> str:
    """The id of the run's logged model with this certificate; made, or finished, if need be.

    Args:
        client: The client.
        artifact: The bundle, verified.
        standing: What it claims; these become the tags.
        run: The run that it comes from.

    Raises:
        ServiceError: MLflow keeps other bytes than it was given.

    Guarantee:
        A model that is READY holds the bundle without evidence; network and certificate were read back and compared.
    """
    from mlflow.entities import LoggedModelOutput

    model = _found(client, standing, run) or client.create_logged_model(
        run.info.experiment_id, name="certified", source_run_id=run.info.run_id, tags=standing.tags(), model_type="onnx"
    )
    ready = str(model.status) == "READY"
    if not ready:
        _upload(client, artifact, model, run.info.run_id)
    verify_model(client, artifact, model.model_id)
    if not ready:
        client.finalize_logged_model(model.model_id, "READY")
    linked = {output.model_id for output in run.outputs.model_outputs} if run.outputs else set()
    if model.model_id not in linked:
        client.log_outputs(run.info.run_id, [LoggedModelOutput(model.model_id, 0)])
    return str(model.model_id)


def _found(client: "MlflowClient", standing: Standing, run: "Run") -> "LoggedModel | None":
    # One that a killed process left unfinished is filled again: the same names, the same bytes.
    found = client.search_logged_models(
        [run.info.experiment_id],
        f"source_run_id = '{run.info.run_id}' AND tags.certificate_sha256 = '{standing.certificate_sha256}'",
        order_by=[{"field_name": "creation_time", "ascending": True}],
    )
    return found[0] if found else None


def _upload(client: "MlflowClient", artifact: Artifact, model: "LoggedModel", run_id: str) -> None:
    client.log_model_artifact(model.model_id, str(artifact.file(ONNX)))
    with TemporaryDirectory() as folder:
        shown = shutil.copytree(artifact.path, Path(folder) / "bundle", ignore=shutil.ignore_patterns(*WITHHELD))
        client.log_model_artifacts(model.model_id, str(shown), "bundle")
        shutil.rmtree(shown)
        for name, text in describe(artifact.file(ONNX), model.model_id, run_id).items():
            (Path(folder) / name).write_text(text)
        client.log_model_artifacts(model.model_id, folder)


def verify_model(client: "MlflowClient", artifact: Artifact, model_id: str) -> None:
    """Read the network and the certificate of a logged model back and compare them with the bundle's.

    Raises:
        ServiceError: MLflow keeps other bytes.
    """
    from mlflow.artifacts import download_artifacts

    model = client.get_logged_model(model_id)
    expected = {MODEL: artifact.files[ONNX], f"bundle/{CERTIFICATE}": artifact.files[CERTIFICATE]}
    for name, sha256 in expected.items():
        with TemporaryDirectory() as folder:
            uri = f"{model.artifact_location}/{name}"
            copy = Path(download_artifacts(uri, dst_path=folder, tracking_uri=tracking_uri()))
            received = sha256_hex(copy.read_bytes())
        if received != sha256:
            raise ServiceError(
                f"logged model {model_id}: expected {name} with SHA-256 {sha256[:12]}, received {received[:12]} from "
                f"MLflow's artifact store; {_remedy(str(model.status))}"
            )


def _remedy(status: str) -> str:
    if status != "READY":
        return "nothing was registered: check that store, then register again"
    return (
        "it was altered after it was logged, and no alias was moved: check that store, delete this logged model and "
        "the version made from it, then register again"
    )
