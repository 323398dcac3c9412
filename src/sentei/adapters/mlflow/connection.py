"""Which MLflow to talk to, and its answers in our words."""

import logging
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sentei.errors import ServiceError

if TYPE_CHECKING:
    from mlflow import MlflowClient

_SQLITE = "sqlite:///"
_UNKNOWN = re.compile(r"error code 401\b|UNAUTHENTICATED")
_FORBIDDEN = re.compile(r"error code 403\b|PERMISSION_DENIED")
_USER = re.compile(r"//[^/@\s]+@")
# Read by MLflow when it is imported; what the user has set stays.
_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GIT_PYTHON_REFRESH": "quiet",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # Half a minute for a server that is being restarted; the default of seven repetitions takes four minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "4",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "60",
}
# What can come out of a call to MLflow when a service fails; anything else is a mistake of ours and stays visible.
_FOREIGN = {"mlflow", "requests", "urllib3", "sqlalchemy", "sqlite3", "botocore", "boto3", "s3transfer"}


def connect() -> "MlflowClient":
    """A client of the server or database that keeps the runs.

    That is ``MLFLOW_TRACKING_URI``, or ``mlflow.db`` in the working directory, which is made if there is none.

    Raises:
        ServiceError: It cannot be reached or opened.
    """
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    with asking("open the tracking store"), warnings.catch_warnings():
        # MLflow 3.17 sets up its tables with an option that SQLAlchemy 2.1 has deprecated.
        warnings.filterwarnings("ignore", message="The ``noload`` loader strategy", category=DeprecationWarning)
        from mlflow import MlflowClient

        for name in ("alembic", "mlflow.store.db.utils"):
            logging.getLogger(name).setLevel(logging.WARNING)
        return MlflowClient(tracking_uri=tracking_uri())


def tracking_uri() -> str:
    """Where runs are kept: ``MLFLOW_TRACKING_URI``, or ``mlflow.db`` in the working directory."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"{_SQLITE}{Path.cwd() / 'mlflow.db'}"


def artifact_root() -> str | None:
    """Where a new experiment keeps its artifacts: beside a local database; None where a server decides."""
    database = local_database()
    return str(database.parent / "mlartifacts") if database else None


def local_database() -> Path | None:
    """The file that keeps the runs; None where a server keeps them."""
    uri = tracking_uri()
    return Path(uri.removeprefix(_SQLITE)).absolute() if uri.startswith(_SQLITE) else None


@contextmanager
def asking(request: str) -> Iterator[None]:
    """Turns what MLflow raises in this block into a ServiceError.

    Args:
        request: What is asked for, as a verb and its object.

    Raises:
        ServiceError: The service refused, or could not be reached.
    """
    try:
        yield
    except Exception as error:  # told apart by where it comes from, so that nothing heavy is imported for its types
        if type(error).__module__.partition(".")[0] not in _FOREIGN and not isinstance(error, OSError | ImportError):
            raise
        raise ServiceError(
            f"asked MLflow at {without_user(tracking_uri())} to {request}, received {type(error).__name__} "
            f"({without_user(str(error))}); {_advice(error)}"
        ) from error


def without_user(text: str) -> str:
    """The text without the user and password that a URL in it may carry.

    Example:
        >>> without_user("https://me:secret@mlflow.example/")
        'https://mlflow.example/'
    """
    return _USER.sub("//", text)


def _advice(error: Exception) -> str:
    text = str(error)
    if isinstance(error, ImportError):
        return "install sentei[pipelines] to keep runs in a local database, or set MLFLOW_TRACKING_URI to a server"
    if "Invalid Host header" in text:
        return "start the server with --allowed-hosts and the name it is asked by"
    if "mlflow[kubernetes]" in text:
        return "install the package kubernetes in the image: MLFLOW_TRACKING_AUTH asks for a token of the pod"
    if _UNKNOWN.search(text):
        return "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, to what it takes"
    if _FORBIDDEN.search(text):
        return "ask whoever keeps the server for the permission EDIT on this experiment or registered model"
    return "check MLFLOW_TRACKING_URI and that the server is up; the same call can be repeated safely"
