"""``sentei plan``: what a run would do and cost, without training."""

import os
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sentei.cli.rows import data_dir_option, look_first, passing_cache

if TYPE_CHECKING:
    from sentei.steps.frozen import Plan

INDENT, WIDTH = 12, 112
ORDERS = {
    "pareto": "the Pareto front of estimated drop and {cost} on the selection split, safest first",
    "listed": "as the recipe lists the family",
}
PROMOTIONS = {
    "cheaper": "only to a cheaper version, under a claim at least as strict",
    "certified": "to every newly certified version",
    "never": "never",
}


@click.command()
@click.argument("recipe")
@data_dir_option
@click.option("--json", "as_json", is_flag=True, help="Print the frozen plan as JSON.")
def plan(recipe: str, data_dir: Path | None, as_json: bool) -> None:
    """Say what a run of RECIPE will do and what it costs, in seconds, without training."""
    from sentei.adapters.kubeflow.package import recipe_text
    from sentei.adapters.uris import open_uri
    from sentei.recipe import parse_recipe
    from sentei.steps.frozen import to_text
    from sentei.steps.plan import plan as freeze

    text = recipe_text(recipe)
    parse_recipe(text, recipe)
    look_first(data_dir)
    os.environ.setdefault("SENTEI_EVENTS", os.devnull)
    with passing_cache():
        frozen = freeze(text, open_uri)
    click.echo(to_text(frozen.record()) if as_json else "\n".join(_lines(frozen)))


def _lines(frozen: "Plan") -> list[str]:
    from sentei.adapters.kubeflow.package import n_tasks
    from sentei.steps.forecast import forecast

    cost = forecast(frozen)
    return [
        f"plan {frozen.name}",
        *_entry("data", *_data(frozen)),
        *_entry("dense", cost.network),
        *_entry("family", *_family(frozen)),
        *(line for index, claim in enumerate(cost.claims) for line in _entry("compare" if index else "claim", *claim)),
        *_decision(frozen),
        *_entry("work", cost.work),
        *_entry("tasks", f"{n_tasks(len(frozen.variants))} tasks of the pipeline"),
    ]


def _entry(label: str, *lines: str) -> list[str]:
    return [f"  {name:<{INDENT - 2}}{line}" for name, line in zip([label, *[""] * len(lines)], lines, strict=False)]


def _data(frozen: "Plan") -> list[str]:
    from sentei.risk.decimals import grouped

    sizes = {name: facts["n_examples"] for name, facts in frozen.examples["splits"].items()}
    rows, dropped = (
        ", ".join(f"{name} {grouped(n)}" for name, n in counts.items() if n)
        for counts in (sizes, frozen.examples["dropped"])
    )
    source = frozen.examples["request"]["source"]["source"]
    return [f"{source}: {rows}", *([f"duplicates passed over: {dropped}"] if dropped else [])]


def _family(frozen: "Plan") -> list[str]:
    names = ", ".join(variant["name"] for variant in frozen.variants)
    wrapped = textwrap.wrap(names, WIDTH - INDENT, break_long_words=False, break_on_hyphens=False)
    return [f"{len(frozen.variants)} variants:", *wrapped]


def _decision(frozen: "Plan") -> list[str]:
    decision = frozen.decision
    order, cost = decision["procedure"]["order"], decision["procedure"]["cost"]
    return [
        *_entry("order", f"{order}: {ORDERS[order].format(cost=cost)}"),
        *_entry("winner", f"the certified variant with the least {cost}"),
        *_entry("release", decision["release"]),
        *_entry("registry", f"{decision['registered_model']}; champion moves {PROMOTIONS[decision['promote']]}"),
    ]
