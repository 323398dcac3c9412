"""Asking Kubeflow Pipelines: bounded waits, repetitions that make nothing twice, and answers in our words."""

import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar

from sentei.adapters.kubeflow.access import Access, Patience, api_client
from sentei.adapters.kubeflow.failures import NotKubeflowError, RequestError, failure_of
from sentei.errors import ServiceError

T = TypeVar("T")
PAGE = 100
LOG = 2**20
"""Bytes of a log that are kept: its end names the cause."""


class Server:
    """A Kubeflow Pipelines server that answers.

    Attributes:
        access: Where it is, and who asks.
        patience: How long it is waited for.
        multi_user: Whether it keeps several users apart, by namespaces.
        runs: The official client of its runs; the others likewise.
    """

    def __init__(self, access: Access, patience: Patience | None = None) -> None:
        import kfp_server_api as api

        self.access, self.patience = access, patience or Patience()
        self._client = api_client(access, self.patience, _must_be_json)
        self.runs = api.RunServiceApi(self._client)
        self.recurring = api.RecurringRunServiceApi(self._client)
        self.experiments = api.ExperimentServiceApi(self._client)
        self.pipelines = api.PipelineServiceApi(self._client)
        self.uploads = api.PipelineUploadServiceApi(self._client)
        health = api.HealthzServiceApi(self._client)
        self.multi_user = bool(self.ask("say whether it is well", health.healthz_service_get_healthz).multi_user)

    def namespace(self, wished: str) -> str | None:
        """The namespace to name in requests: none where the server knows no users.

        Args:
            wished: By the recipe, where no option names one.
        """
        return (self.access.namespace or wished) if self.multi_user else None

    def ask(self, request: str, call: Callable[..., T]) -> T:
        """The answer to a request that can be repeated without harm.

        Args:
            request: What is asked for, as a verb and its object.
            call: A method of the official client, with its arguments bound.

        Raises:
            ServiceError: The server refused, or did not answer within the patience.
        """
        return self._persist(request, call, lambda _: None)

    def find(self, request: str, call: Callable[..., T]) -> T | None:
        """As ``ask``; None where the server says that there is no such thing."""
        try:
            return self.ask(request, call)
        except ServiceError as error:
            if isinstance(error.__cause__, RequestError) and error.__cause__.status == 404:
                return None
            raise

    def make(self, request: str, call: Callable[..., T], look: Callable[[], T | None]) -> T:
        """The thing that a request makes, once: after a doubtful answer it is looked for before it is made again.

        Args:
            request: As for ``ask``.
            call: Makes it.
            look: Finds it if it was made, by this request or, where names exist once, by somebody else's.

        Raises:
            ServiceError: As for ``ask``.

        Guarantee:
            One thing is made, unless the server acts on a request after it was looked for in vain.
        """

        def made(failure: RequestError) -> T | None:
            return look() if failure.status == 409 or (failure.sent and failure.passing) else None

        return self._persist(request, call, made)

    def pages(self, request: str, call: Callable[..., Any], items: str) -> Iterator[Any]:
        """Everything that a list holds, page by page.

        Args:
            request: As for ``ask``.
            call: Lists; takes ``page_token`` and ``page_size``.
            items: Name of the list in its answers.
        """
        token = ""
        while True:
            page = self.ask(request, partial(call, page_token=token, page_size=PAGE))
            yield from getattr(page, items) or []
            if not page.next_page_token or page.next_page_token == token:
                return
            token = page.next_page_token

    def log(self, run_id: str, pod: str) -> str:
        """The last part of what a pod printed; empty where the server does not tell."""
        path = "/apis/v1alpha1/runs/{run_id}/nodes/{node_id}/log"
        asked = partial(
            self._client.call_api,
            *(path, "GET", {"run_id": run_id, "node_id": pod}),
            auth_settings=["Bearer"],
            _preload_content=False,
            _return_http_data_only=True,
        )
        try:
            return self._once(partial(_tail, asked))
        except RequestError:
            return ""

    def _persist(self, request: str, call: Callable[..., T], settle: Callable[[RequestError], T | None]) -> T:
        began, patience = time.monotonic(), self.patience
        for attempt in range(1, patience.attempts + 1):
            token = self.access.token()
            try:
                return self._once(call)
            except RequestError as failure:
                if (settled := settle(failure)) is not None:
                    return settled
                renewed = failure.status == 401 and self.access.token() != token
                wait = min(
                    failure.wait if failure.wait is not None else patience.first * 2 ** (attempt - 1), patience.longest
                )
                late = time.monotonic() - began + wait > patience.total
                if late or attempt == patience.attempts or not (failure.passing or renewed):
                    raise ServiceError(self._told(request, failure, attempt, token)) from failure
                time.sleep(0 if renewed else wait)
        raise AssertionError("the last attempt returns or raises")

    def _once(self, call: Callable[..., T]) -> T:
        try:
            return call(_request_timeout=(self.patience.connect, self.patience.answer))
        except Exception as error:  # the client and what it stands on raise many types; what is no failure goes on
            failure = failure_of(error)
            if failure is None:
                raise
            raise failure from None

    def _told(self, request: str, failure: RequestError, attempts: int, token: str | None) -> str:
        tries = f" after {attempts} tries" if attempts > 1 else ""
        advice = failure.advice
        if failure.status == 401:
            source = self.access.source()
            advice = (
                f"the token came from {source}; {advice}" if source else "no token was sent; name one with --token-file"
            )
        text = f"asked Kubeflow at {self.access.host} to {request}, {failure.told}{tries}; {advice}"
        return text.replace(token, "***") if token else text


def _must_be_json(text: str) -> None:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        found = None
    if not isinstance(found, dict):
        kind = "a page in HTML" if "<html" in text[:1000].lower() or text.lstrip().startswith("<") else "no JSON object"
        raise NotKubeflowError(f"{kind} instead of an answer of Kubeflow Pipelines")


def _tail(asked: Callable[..., Any], _request_timeout: tuple[float, float]) -> str:
    end = b""
    for piece in asked(_request_timeout=_request_timeout).stream(2**16):
        end = (end + piece)[-LOG:]
    return end.decode(errors="replace")
