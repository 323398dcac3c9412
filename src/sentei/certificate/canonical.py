"""Canonical JSON and digests: one text, and so one SHA-256, for one value."""

import hashlib
import json
from typing import Any

from sentei.errors import CertificateError


def canonical_json(value: Any) -> bytes:
    r"""The only text that sentei writes for this value.

    Args:
        value: Dictionaries with string keys, lists, tuples, strings, integers, booleans and None. Decimal numbers are
            passed as strings, because the text of a float can vary.

    Returns:
        UTF-8, keys sorted, no white space, one line feed at the end.

    Raises:
        CertificateError: The value holds a float or another type without one fixed text.

    Example:
        >>> canonical_json({"n": 3, "delta": "0.05"})
        b'{"delta":"0.05","n":3}\n'
    """
    _refuse_unstable(value, "$")
    try:
        return (json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")) + "\n").encode()
    except UnicodeEncodeError as error:
        raise CertificateError(
            f"$: a text holds half a character and has no UTF-8 ({error}); repair the text"
        ) from error


def parse_canonical(text: bytes, where: str) -> Any:
    """The value of a canonical text; any other spelling of the same value is refused.

    Raises:
        CertificateError: The text is not JSON, or not the canonical text of its value.
    """
    try:
        value = json.loads(text)
        again = canonical_json(value)
    except (ValueError, CertificateError, RecursionError) as error:
        raise CertificateError(f"{where}: expected canonical JSON, received something else ({error})") from error
    if again != text:
        raise CertificateError(f"{where}: the text is not canonical, so it was altered or written by something else")
    return value


def sha256_hex(data: bytes) -> str:
    """SHA-256 of some bytes, as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def digest(value: Any) -> str:
    """SHA-256 of a value's canonical JSON, as 64 hexadecimal digits.

    Example:
        >>> digest({"a": 1}) == digest({"a": 1}) != digest({"a": "1"})
        True
    """
    return sha256_hex(canonical_json(value))


def _refuse_unstable(value: Any, path: str) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise CertificateError(f"{path}: keys must be strings, received {key!r}")
            _refuse_unstable(item, f"{path}.{key}")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            _refuse_unstable(item, f"{path}[{index}]")
    elif value is not None and not isinstance(value, str | int):
        raise CertificateError(f"{path}: {type(value).__name__} has no single text; pass integers or decimal strings")
