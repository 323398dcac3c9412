"""What S3 answered, told as a ServiceError: what was asked, of whom, what came back, and what to do."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import boto3.exceptions
import botocore.exceptions

from sentei.adapters.s3.address import Address
from sentei.errors import ServiceError

_USER = re.compile(r"//[^/@\s]+@")
_CREDENTIALS = (
    "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the profile or role of this process, and what it may do on "
    "this bucket"
)
_REACH = "check AWS_ENDPOINT_URL, and that the server is up and reachable from here"
_REGION = "set AWS_DEFAULT_REGION to the bucket's region"
_ADVICE = {
    "NoSuchBucket": "create the bucket, or correct its name",
    "NoSuchKey": "check the key; the URI of a folder ends with /",
    "404": "check the bucket and the key; the URI of a folder ends with /",
    "403": _CREDENTIALS,
    "AccessDenied": _CREDENTIALS,
    "ExpiredToken": _CREDENTIALS,
    "InvalidAccessKeyId": _CREDENTIALS,
    "SignatureDoesNotMatch": _CREDENTIALS,
    "NoCredentialsError": (
        "give this process credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or a role"
    ),
    "PartialCredentialsError": "give this process both parts of its credentials",
    "EndpointConnectionError": _REACH,
    "ConnectTimeoutError": _REACH,
    "ReadTimeoutError": _REACH,
    "ConnectionClosedError": _REACH,
    "SSLError": f"{_REACH}, and AWS_CA_BUNDLE if it signs its own certificate",
    "AuthorizationHeaderMalformed": _REGION,
    "IllegalLocationConstraintException": _REGION,
    "PermanentRedirect": _REGION,
    "NoRegionError": _REGION,
    "FlexibleChecksumError": "the object was damaged on its way or on the server: ask whoever keeps the bucket",
}
_DEFAULT_ADVICE = "ask whoever keeps the server; the same request can be repeated safely"


@contextmanager
def asking(request: str, address: Address, endpoint: str) -> Iterator[None]:
    """Turns what boto3 raises in this block into a ServiceError.

    Args:
        request: What is asked for, as a verb: ``read``, ``write``, ``list``.
        address: The object or folder that it is asked of.
        endpoint: The server that it is asked of.

    Raises:
        ServiceError: The server refused, or could not be reached.
    """
    try:
        yield
    except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError, boto3.exceptions.Boto3Error) as error:
        code = code_of(error)
        raise ServiceError(
            f"asked {without_user(endpoint)} to {request} {address}, received {code} ({without_user(str(error))}); "
            f"{_ADVICE.get(code, _DEFAULT_ADVICE)}"
        ) from error


def code_of(error: Exception) -> str:
    """The service's own code for what went wrong, or the name of the exception where it never answered."""
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code") or type(error).__name__)


def without_user(text: str) -> str:
    """The text without the user and password that a URL in it may carry.

    Example:
        >>> without_user("http://me:secret@store:9000/x")
        'http://store:9000/x'
    """
    return _USER.sub("//", text)
