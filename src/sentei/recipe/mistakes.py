"""One mistake in a recipe, said so that its author can mend it."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, get_args, get_origin

import yaml
from pydantic import BaseModel

from sentei.recipe.architectures import KWARGS
from sentei.recipe.schema import Recipe

_KWARGS = ("model", "kwargs")
_KINDS = {"NoneType": "nothing", "list": "a list", "dict": "a mapping", "str": "a text"}


def describe_all(mistakes: Sequence[Any], tree: yaml.Node | None, value: Any) -> list[str]:
    """One line per mistaken place: its path and line, what was expected, what arrived, and the nearest known name.

    Args:
        mistakes: pydantic's ``ValidationError.errors()``.
        tree: The recipe's YAML nodes, which know their lines.
        value: The recipe as plain values.
    """
    places: dict[tuple[str | int, ...], list[str]] = {}
    for mistake in mistakes:
        places.setdefault(tuple(_written(_plain(mistake["loc"]), value)), []).append(_what(mistake, value))
    return sorted(f"{_place(loc, tree)}: {', or '.join(dict.fromkeys(what))}" for loc, what in places.items())


def _written(loc: list[str | int], recipe: Any) -> list[str | int]:
    """The path as it stands in the recipe: a claim that stands alone has no list around it."""
    alone = loc[:2] == ["claim", 0] and isinstance(recipe.get("claim"), dict)
    return [loc[0], *loc[2:]] if alone else loc


def _place(loc: Sequence[str | int], tree: yaml.Node | None) -> str:
    line = line_of(tree, loc)
    return ".".join(str(part) for part in loc) + (f" (line {line})" if line else "")


def line_of(tree: yaml.Node | None, loc: Sequence[str | int]) -> int | None:
    """The line, counted from 1, on which a path of the recipe begins; that of its nearest parent when it is missing."""
    node, line = tree, None
    for part in _plain(loc):
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == str(part)), None)
            if found is None:
                return line
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
    return line


def _what(mistake: Any, recipe: Any) -> str:
    kind, received, context = mistake["type"], mistake["input"], mistake.get("ctx", {})
    if kind == "extra_forbidden":
        return f"unknown name{_nearest(str(mistake['loc'][-1]), _known_names(mistake['loc'][:-1], recipe))}"
    if kind == "missing":
        return "required, but missing"
    if kind == "invalid_key":
        return f"expected a name, received {received!r}; names are texts"
    if kind == "literal_error":
        choices = str(context["expected"]).replace(" or ", ", ").replace("'", "").split(", ")
        close = get_close_matches(str(received), choices, n=1, cutoff=0.5)
        hint = f"; did you mean '{close[0]}'?" if close else ""
        return f"expected {'one of ' * (len(choices) > 1)}{', '.join(choices)}; received {received!r}{hint}"
    if kind == "string_pattern_mismatch":
        return f"expected a text that matches {context['pattern']}; received {received!r}"
    if kind in ("model_type", "dict_type"):
        return f"expected a mapping of names to values, received {name_kind(received)}"
    message = mistake["msg"].removeprefix("Input should be ").removeprefix("expected ")
    scalar = received is not None and not isinstance(received, dict | list)
    return f"expected {message}" + (f"; received {received!r}" if scalar else "")


def _nearest(name: str, known: Sequence[str]) -> str:
    close = get_close_matches(name, known, n=1, cutoff=0.5)
    if close:
        return f"; did you mean '{close[0]}'?"
    return f"; known here: {', '.join(sorted(known)) or 'none'}"


def name_kind(value: Any) -> str:
    """What a value of the wrong kind is called in a message, such as ``a list``."""
    return _KINDS.get(type(value).__name__, repr(value))


def _known_names(loc: Sequence[str | int], recipe: Any) -> list[str]:
    if tuple(loc) == _KWARGS:
        return list(KWARGS[recipe["model"]["architecture"]].model_fields)
    model: Any = Recipe
    for part in _plain(loc):
        if isinstance(part, str):
            model = _inside(model, part)
    return list(model.model_fields) if model else []


def _inside(model: Any, part: str) -> Any:
    """What a name leads to: a section, a mapping of names of the user's own to sections, or nothing further."""
    if get_origin(model) is dict:
        return _section(get_args(model)[1])
    field = model.model_fields.get(part)
    annotation = field.annotation if field else None
    return annotation if get_origin(annotation) is dict and _section(annotation) else _section(annotation)


def _section(annotation: Any) -> Any:
    """The recipe section inside an annotation such as ``Grid | None`` or ``list[Claim]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _section(part))), None)


def _plain(loc: Sequence[str | int]) -> list[str | int]:
    """The path without the marks that pydantic adds behind a field, such as ``constrained-int`` in a union."""
    if tuple(loc[:2]) == _KWARGS:  # names of the user's own, not fields of a section
        return [part for part in loc if part != "[key]"]
    model: Any = Recipe
    kept: list[str | int] = []
    for part in loc:
        if isinstance(part, int) or model is not None:
            kept.append(part)
        if not isinstance(part, int) and model is not None:
            model = _inside(model, part)
    return [part for part in kept if part != "[key]"]
