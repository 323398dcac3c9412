"""Reads JSON values into dataclasses; whatever does not fit exactly is refused with its place."""

import re
import types
import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Annotated, Any, Literal

from sentei.errors import CertificateError

Digest = Annotated[str, "[0-9a-f]{64}"]
DecimalText = Annotated[str, r"-?(0|[1-9][0-9]*)(\.[0-9]+)?(E-[1-9][0-9]*)?"]
Instant = Annotated[str, "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z"]


def read(kind: Any, value: Any, where: str) -> Any:
    """The JSON value as the given type.

    Args:
        kind: A dataclass, ``str``, ``int``, ``bool``, ``Literal``, ``tuple[X, ...]``, ``Mapping[str, X]``,
            ``X | None``, ``X | Y`` for dataclasses of different fields, or ``Annotated[str, pattern]`` (the whole text
            must match the regular expression).
        value: What ``json.loads`` gave.
        where: Path of the value, for the message.

    Raises:
        CertificateError: A field is unknown or missing, or a value has another type; the message names the path.

    Example:
        >>> read(tuple[int, ...], [1, 2], "$.order")
        (1, 2)
    """
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if is_dataclass(kind):
        return _read_record(kind, value, where)
    if origin in (types.UnionType, typing.Union):  # the second is what `Annotated[...] | None` becomes
        return _read_one_of(arguments, value, where)
    if origin is Literal:
        return _expect(isinstance(value, str) and value in arguments, value, where, f"one of {list(arguments)}")
    if origin is Annotated:
        matches = isinstance(value, str) and re.fullmatch(arguments[1], value, re.ASCII)
        return _expect(bool(matches), value, where, f"a text of the form {arguments[1]}")
    if origin is tuple:
        items = _expect(isinstance(value, list), value, where, "a list")
        return tuple(read(arguments[0], item, f"{where}[{index}]") for index, item in enumerate(items))
    if origin is Mapping:
        pairs = _expect(isinstance(value, dict), value, where, "an object")
        return {key: read(arguments[1], item, f"{where}.{key}") for key, item in pairs.items()}
    return _expect(type(value) is kind, value, where, f"a value of type {kind.__name__}")


def _read_one_of(kinds: tuple[Any, ...], value: Any, where: str) -> Any:
    """None where that is allowed; of several records the one whose fields the value has."""
    if value is None and types.NoneType in kinds:
        return None
    known = [kind for kind in kinds if kind is not types.NoneType]
    if len(known) == 1:
        return read(known[0], value, where)
    _expect(isinstance(value, dict), value, where, "an object")
    fitting = [kind for kind in known if {field.name for field in fields(kind)} == set(value)]
    shapes = " or ".join(str([field.name for field in fields(kind)]) for kind in known)
    _expect(len(fitting) == 1, sorted(value), where, f"the fields {shapes}")
    return read(fitting[0], value, where)


# A converter of JSON values has no more precise type than its argument's description, hence Any.
def _read_record(kind: Any, value: Any, where: str) -> Any:
    _expect(isinstance(value, dict), value, where, "an object")
    types_of = typing.get_type_hints(kind, include_extras=True)
    names = [field.name for field in fields(kind)]
    for name in [*value, *names]:
        if name not in names:
            raise CertificateError(f"{where}.{name}: unknown field; expected {names}; do not trust this text")
        if name not in value:
            raise CertificateError(f"{where}.{name}: the field is missing; do not trust this text")
    try:
        return kind(**{name: read(types_of[name], value[name], f"{where}.{name}") for name in names})
    except ValueError as error:
        raise CertificateError(f"{where}: {error}") from error


def _expect(fits: bool, value: Any, where: str, expected: str) -> Any:
    if not fits:
        raise CertificateError(f"{where}: expected {expected}, received {value!r}; do not trust this text")
    return value
