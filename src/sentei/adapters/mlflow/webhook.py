"""What MLflow sends when an alias moves -> an event that may be acted on, or a refusal."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sentei.adapters.mlflow.aliases import CHAMPION
from sentei.errors import ServiceError

SIGNATURE, DELIVERY, TIMESTAMP = "X-MLflow-Signature", "X-MLflow-Delivery-Id", "X-MLflow-Timestamp"
_ALIAS_MOVED = "model_version_alias.created"


@dataclass(frozen=True)
class Event:
    """Something that happened in the registry.

    Attributes:
        delivery: Id of the delivery; one that was seen before is a repetition.
        kind: Such as ``model_version_alias.created``.
        data: What MLflow says of it.
    """

    delivery: str
    kind: str
    data: Mapping[str, Any]

    @property
    def promoted(self) -> str:
        """Name of the registered model whose alias ``champion`` was set; empty if this is something else.

        Deliveries may come late, twice or in another order: ask the registry for the champion as it is now.
        """
        moved = self.kind == _ALIAS_MOVED and self.data.get("alias") == CHAMPION
        return str(self.data.get("name", "")) if moved else ""


def read_event(body: bytes, headers: Mapping[str, str], secret: str, *, now: float | None = None) -> Event:
    """The event of a delivery whose signature was verified.

    Args:
        body: The request's body, as it arrived.
        headers: The request's headers; upper and lower case are the same.
        secret: What the webhook was created with.
        now: Seconds since 1970; the clock's if None.

    Raises:
        ServiceError: The signature is missing or wrong, or the delivery is more than five minutes old.

    Guarantee:
        Whoever does not know the secret cannot make an event, nor send one again after five minutes.

    Example:
        >>> read_event(b"{}", {}, "secret")
        Traceback (most recent call last):
        sentei.errors.ServiceError: delivery: expected the header X-MLflow-Signature, received none; answer 401, and ...
    """
    given = {name.lower(): value for name, value in headers.items()}
    for name in (SIGNATURE, DELIVERY, TIMESTAMP):
        if not given.get(name.lower()):
            raise _refused("delivery", f"the header {name}", "none")
    delivery, sent = given[DELIVERY.lower()], given[TIMESTAMP.lower()]
    signed = b".".join((delivery.encode(), sent.encode(), body))
    expected = "v1," + base64.b64encode(hmac.new(secret.encode(), signed, hashlib.sha256).digest()).decode()
    if not hmac.compare_digest(expected.encode(), given[SIGNATURE.lower()].encode()):
        raise _refused(f"delivery {delivery}", "a signature made with this webhook's secret", "another")
    # The time is signed, too, so that it is a number.
    if abs((time.time() if now is None else now) - int(sent)) > 300:
        raise _refused(f"delivery {delivery}", "one of the last five minutes", f"one of {sent} s since 1970")
    told = json.loads(body)
    return Event(delivery, f"{told['entity']}.{told['action']}", told["data"])


def _refused(where: str, expected: str, received: str) -> ServiceError:
    return ServiceError(
        f"{where}: expected {expected}, received {received}; answer 401, and see that the webhook was created with the "
        "secret that is used here"
    )
