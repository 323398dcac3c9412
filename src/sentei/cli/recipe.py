"""``sentei recipe``: help for those who write recipes."""

import json

import click


@click.group()
def recipe() -> None:
    """Help with writing recipes."""


@recipe.command()
def schema() -> None:
    """Print the recipe's JSON schema, for editors."""
    from sentei.recipe.schema import json_schema

    click.echo(json.dumps(json_schema(), indent=2))


@recipe.command()
@click.argument("path")
def check(path: str) -> None:
    """Check a recipe and name all of its mistakes."""
    from sentei.adapters.kubeflow.package import recipe_text
    from sentei.recipe import parse_recipe

    parsed = parse_recipe(recipe_text(path), path)
    click.echo(f"{path}: {parsed.name}, {len(parsed.family.members())} variants")
