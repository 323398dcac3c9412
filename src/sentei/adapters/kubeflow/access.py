"""Where Kubeflow Pipelines answers, and as whom we ask."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sentei.errors import RecipeError, ServiceError

TOKEN = "SENTEI_KUBEFLOW_TOKEN"
HOST = "KF_PIPELINES_ENDPOINT"
CONTEXT = Path("~/.config/kfp/context.json")
"""Where kfp's own command line keeps a cookie or header that a proxy before Kubeflow asks for."""


@dataclass(frozen=True)
class Patience:
    """How long one request may take, and how often it is repeated.

    Attributes:
        attempts: At most so many tries.
        first: Seconds before the second try; each further wait is twice as long, unless the server names one.
        longest: Most seconds of one wait.
        connect: Seconds to reach the host.
        answer: Seconds without a byte of an answer.
        total: Seconds after which no further try begins.
        settle: Seconds after which a run that was begun is shown to everybody.
    """

    attempts: int = 5
    first: float = 1.0
    longest: float = 60.0
    connect: float = 10.0
    answer: float = 60.0
    total: float = 180.0
    settle: float = 2.0


@dataclass(frozen=True)
class Access:
    """A host, and what identifies us there.

    Attributes:
        host: ``http://`` or ``https://``, without a slash at the end.
        token_file: Read again before every request, since tokens of pods are renewed; None without one.
        ca: File with the certificates that sign the host's; None for the public ones.
        namespace: Of the runs, where Kubeflow keeps several users apart; None leaves it to the recipe.
    """

    host: str
    token_file: Path | None = None
    ca: Path | None = None
    namespace: str | None = None

    def token(self) -> str | None:
        """The token of this moment.

        Raises:
            ServiceError: The file cannot be read, or is empty.
        """
        path = self.token_file or _projected()
        if path is None or (self.token_file is None and os.environ.get(TOKEN)):
            return os.environ.get(TOKEN) or None
        from kfp.client.token_credentials_base import read_token_from_file

        try:
            found: str = read_token_from_file(str(path))
        except (OSError, UnicodeDecodeError) as error:
            raise ServiceError(f"{path}: expected a token of Kubeflow; {error}") from error
        if not found:
            raise ServiceError(f"{path}: expected a token of Kubeflow, the file is empty")
        return found

    def source(self) -> str:
        """Where the token comes from, in words; empty if there is none."""
        if self.token_file is None and os.environ.get(TOKEN):
            return TOKEN
        path = self.token_file or _projected()
        return str(path) if path else ""


def access(host: str | None, token_file: Path | None, ca: Path | None, namespace: str | None) -> Access:
    """How to reach Kubeflow, from options, the environment, or the cluster that this process runs in.

    Raises:
        RecipeError: No host is named, or what is named cannot be one.
    """
    named = host or os.environ.get(HOST)
    if not named and os.environ.get("KUBERNETES_SERVICE_HOST"):
        named = "http://ml-pipeline.kubeflow.svc.cluster.local:8888"
    if not named:
        raise RecipeError(f"--host: expected the URL of Kubeflow Pipelines, received none; name it, or set {HOST}")
    if not named.startswith(("http://", "https://")) or "@" in named.partition("//")[2].partition("/")[0]:
        shown = named.rpartition("@")[2]
        raise RecipeError(f"--host: expected http://... or https://... without a user in it, received {shown!r}")
    bundle = ca or (Path(os.environ["SSL_CERT_FILE"]) if os.environ.get("SSL_CERT_FILE") else None)
    if bundle is not None and not bundle.is_file():
        raise RecipeError(f"--ca: expected a file with certificates, found none at {bundle}")
    return Access(named.rstrip("/"), token_file, bundle, namespace)


def api_client(access: Access, patience: Patience, checked: Callable[[str], None]) -> Any:
    """The official client's connection; it never repeats or redirects a request by itself.

    Args:
        access: The host, and who asks.
        patience: For its attempts; the connection itself knows none.
        checked: Called with every answer before it is decoded.
    """
    import kfp_server_api
    import urllib3

    class Connection(kfp_server_api.ApiClient):  # type: ignore[misc]  # kfp_server_api has no types
        def deserialize(self, response: Any, response_type: str) -> Any:
            checked(response.data)
            return super().deserialize(response, response_type)

    def renew(configuration: Any) -> None:
        configuration.api_key["authorization"] = access.token()

    configuration = kfp_server_api.Configuration(host=access.host)
    configuration.retries = urllib3.Retry(total=0, raise_on_redirect=False)
    configuration.ssl_ca_cert = str(access.ca) if access.ca else None
    if token := access.token():
        configuration.api_key["authorization"] = token  # without one from the start, the client asks for none later
        configuration.api_key_prefix["authorization"] = "Bearer"
        configuration.refresh_api_key_hook = renew
    context = _context()
    return Connection(
        configuration,
        cookie=context.get("client_authentication_cookie"),
        header_name=context.get("client_authentication_header_name"),
        header_value=context.get("client_authentication_header_value"),
    )


def _projected() -> Path | None:
    """The token that the cluster gives to this pod, if it is one."""
    named = os.environ.get("KF_PIPELINES_SA_TOKEN_PATH")
    usual = Path("/var/run/secrets/kubeflow/pipelines/token")
    return Path(named) if named else (usual if usual.is_file() else None)


def _context() -> dict[str, Any]:
    path = CONTEXT.expanduser()
    try:
        found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (OSError, ValueError) as error:
        raise ServiceError(f"{path}: expected JSON as kfp writes it; {error}") from error
    return found if isinstance(found, dict) else {}
