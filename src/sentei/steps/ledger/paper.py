"""What one record of the ledger may look like: canonical JSON of a known format with exactly the named fields."""

from collections.abc import Mapping
from typing import Any

from sentei.certificate.canonical import canonical_json, parse_canonical
from sentei.errors import CertificateError, LedgerError

ADVICE = "restore it from a copy, or keep a new ledger for fresh rows"


def written(form: str, fields: Mapping[str, Any]) -> bytes:
    """The bytes of a record of this format."""
    return canonical_json({"format": form, **fields})


def read(data: bytes, where: str, form: str, kinds: Mapping[str, type]) -> dict[str, Any]:
    """The fields of a record, once they are known to be those of its format.

    Args:
        data: What the shelf keeps.
        where: Place and key, for messages.
        form: The only format that is understood.
        kinds: Type of every field.

    Raises:
        LedgerError: The record is of another format, or was altered.
    """
    try:
        body = parse_canonical(data, where)
    except CertificateError as error:
        raise LedgerError(f"{error}; {ADVICE}") from error
    if not isinstance(body, dict) or body.get("format") != form:
        found = body.get("format") if isinstance(body, dict) else type(body).__name__
        raise LedgerError(
            f"{where}: expected the format {form}, received {found!r}; read it with the sentei that wrote it"
        )
    del body["format"]
    if {name: type(value) for name, value in body.items()} != dict(kinds):
        raise LedgerError(f"{where}: expected the fields {', '.join(sorted(kinds))}, received others; {ADVICE}")
    return body
