"""What can go wrong when Kubeflow is asked, in our words and without a token."""

import json
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from time import time
from typing import Any

PASSING = (429, 500, 502, 503, 504)
"""Answers after which the same request may succeed."""
ADVICE = {
    400: "correct what the server names",
    401: "renew the token, or name one with --token-file",
    403: "ask for the rights that the server names, or name another --namespace",
    404: "check the name, and that it was not deleted",
    409: "choose another name",
    413: "the server's limit for uploads is too small for the package",
    429: "too much is asked of the server at once; try again later",
}


class NotKubeflowError(Exception):
    """An answer that Kubeflow Pipelines would not give."""


@dataclass
class RequestError(Exception):
    """One try that did not succeed.

    Attributes:
        told: What happened.
        advice: What to do.
        status: Of the answer; 0 without one.
        sent: Whether the server may have acted on it.
        passing: Whether a repetition may succeed.
        wait: Seconds that the server asked to wait; None if it did not.
    """

    told: str
    advice: str
    status: int = 0
    sent: bool = True
    passing: bool = False
    wait: float | None = None


def failure_of(error: Exception) -> RequestError | None:
    """What an exception of the official client means; None for a mistake of ours."""
    from kfp_server_api import ApiException
    from urllib3.exceptions import HTTPError, MaxRetryError

    if isinstance(error, NotKubeflowError):
        return RequestError(f"received {error}", "check that --host is the URL of Kubeflow Pipelines")
    if isinstance(error, ApiException):
        return _answered(error)
    if isinstance(error, MaxRetryError) and error.reason is not None:
        error = error.reason
    return _unanswered(error) if isinstance(error, HTTPError | OSError) else None


def _answered(error: Any) -> RequestError:
    status = int(error.status)
    if 300 <= status < 400:
        told = f"received {status}, a way to another page"
        return RequestError(
            told, "a login stands before Kubeflow: name a token with --token-file, or check --host", status
        )
    advice = ADVICE.get(status, "see the server's log; the same command can be repeated safely")
    wait = _seconds((error.headers or {}).get("Retry-After"))
    said = message(error.body) or error.reason
    return RequestError(f"received {status} ({said})", advice, status, passing=status in PASSING, wait=wait)


def message(body: str | None) -> str:
    """What a server's error says, from the JSON of either of its APIs; nothing of a page in HTML."""
    text = (body or "").strip()
    try:
        said = json.loads(text)
    except ValueError:
        return "" if text.startswith("<") else text[:500]
    if not isinstance(said, dict):
        return text[:500]
    found = said.get("message") or said.get("error_message") or said.get("error") or ""
    return str(found)[:1000]


def _unanswered(error: Exception) -> RequestError:
    from urllib3.exceptions import (
        ConnectTimeoutError,
        LocationValueError,
        NewConnectionError,
        ReadTimeoutError,
        SSLError,
    )

    name = type(error).__name__
    if isinstance(error, SSLError):
        advice = "check --ca, the certificates that sign the host's, and the host's name"
        return RequestError(f"the connection is not safe ({error})", advice, sent=False)
    if isinstance(error, LocationValueError):
        return RequestError(f"that is no host ({error})", "correct --host", sent=False)
    if isinstance(error, NewConnectionError | ConnectTimeoutError):
        return RequestError(f"it cannot be reached ({name})", "check --host and the network", sent=False, passing=True)
    if isinstance(error, ReadTimeoutError):
        return RequestError(
            "it did not answer in time", "check that the server is well, or allow more time", passing=True
        )
    return RequestError(f"the connection broke ({name})", "check that the server is well", passing=True)


def _seconds(header: str | None) -> float | None:
    """A Retry-After header, of either form."""
    if header is None:
        return None
    if header.strip().isdigit():
        return float(header)
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time())
    except ValueError:
        return None
