"""YAML in, a checked recipe out; every mistake is reported at once."""

from typing import Any

import yaml
from pydantic import ValidationError

from sentei.errors import RecipeError
from sentei.recipe.mistakes import describe_all, name_kind
from sentei.recipe.schema import Recipe


class _Loader(yaml.SafeLoader):
    """YAML's safe subset, in which naming a key twice is a mistake."""


def _unique_keys(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[str] = set()
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise yaml.constructor.ConstructorError(None, None, "a name must be one word", key.start_mark)
        if key.value in seen:
            raise yaml.constructor.ConstructorError(None, None, f"'{key.value}' stands here twice", key.start_mark)
        seen.add(key.value)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique_keys)


def parse_recipe(text: str, where: str = "recipe") -> Recipe:
    r"""The recipe that a YAML text asks for.

    Args:
        text: The YAML.
        where: What to call it in messages, such as its path.

    Raises:
        RecipeError: With every mistake: its path and line, what was expected, what arrived, and the nearest known name.

    Example:
        >>> try:
        ...     parse_recipe("name: a\nsead: 1\n")
        ... except RecipeError as error:
        ...     print(str(error).splitlines()[-1])
          sead (line 2): unknown name; did you mean 'seed'?
    """
    try:
        tree = yaml.compose(text, Loader=_Loader)
        value = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" (line {mark.line + 1})" if mark else ""
        raise RecipeError(f"{where}{line}: expected YAML; {getattr(error, 'problem', error)}") from error
    if tree is None:
        raise RecipeError(f"{where}: the recipe is empty; begin with name, data, model, family and claim")
    if not isinstance(value, dict):
        raise RecipeError(f"{where}: expected a mapping of names to values, received {name_kind(value)}")
    try:
        return Recipe.model_validate(value)
    except ValidationError as error:
        mistakes = describe_all(error.errors(include_url=False), tree, value)
        count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        raise RecipeError(f"{where}: {count}\n  " + "\n  ".join(mistakes)) from error
