"""Editors check recipes by the JSON schema; it says what the parser says."""

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from sentei.recipe.schema import json_schema

RECIPES = Path(__file__).resolve().parents[3] / "pipelines/recipes"


def test_it_is_a_sound_schema_of_draft_2020_12():
    schema = json_schema()
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_it_accepts_every_shipped_recipe(path):
    assert list(Draft202012Validator(json_schema()).iter_errors(yaml.safe_load(path.read_text()))) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("seed: 0", "sead: 0"),
        ("epsilon: 0.03", "epsilon: 1"),
        ("sparsity: [0.3", "sparsity: [1.3"),
        ("seed: 0", "seed: x"),
    ],
)
def test_it_refuses_what_the_parser_refuses(old, new):
    text = (RECIPES / "digits.yaml").read_text()
    assert text.count(old) == 1
    assert list(Draft202012Validator(json_schema()).iter_errors(yaml.safe_load(text.replace(old, new)))) != []


def test_it_names_every_field_with_a_type_or_a_description_and_allows_no_other():
    schema = json_schema()
    for section in [schema, *schema["$defs"].values()]:
        assert section["additionalProperties"] is False
        assert section["description"]
        for name, field in section["properties"].items():
            assert field.keys() & {"type", "enum", "const", "anyOf", "$ref", "description"}, name


def test_the_shipped_file_is_this_schema():
    assert json.loads((RECIPES / "recipe.schema.json").read_text()) == json_schema()
