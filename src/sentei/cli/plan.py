"""``sentei plan``: what a run would do and cost, without training."""

import os
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sentei.cli.rows import data_dir_option, look_first, passing_cache

if TYPE_CHECKING:
    from sentei.steps.frozen import Plan
    from sentei.steps.ledger import Quote

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
@click.option(
    "--workspace",
    type=click.Path(path_type=Path),
    default=Path(".sentei"),
    show_default=True,
    help="Where runs have left selection figures; with them, each variant's chance to pass is foretold.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the frozen plan as JSON.")
def plan(recipe: str, data_dir: Path | None, workspace: Path, as_json: bool) -> None:
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
        quote = None if as_json else _quote(frozen)
    click.echo(to_text(frozen.record()) if as_json else "\n".join(_lines(frozen, quote, workspace)))


def _quote(frozen: "Plan") -> "Quote | None":
    """What the ledger would charge for one more attempt on the plan's calibration rows; nothing is reserved."""
    from sentei.adapters.uris import open_ledger, open_uri
    from sentei.risk.family import Procedure
    from sentei.steps.account import NO_LEDGER
    from sentei.steps.examples import row_digests

    if frozen.decision["ledger"] == NO_LEDGER:
        return None
    rows = row_digests(frozen.examples, "calibration", open_uri)
    ledger = open_ledger(frozen.decision["ledger"])
    procedure = frozen.decision["procedure"]
    passes = Procedure(procedure["test"], procedure["starts"]).n_passes(len(frozen.variants))
    return ledger.quote(rows, frozen.decision["claims"][0]["delta"], passes)


def _lines(frozen: "Plan", quote: "Quote | None", workspace: Path) -> list[str]:
    from sentei.adapters.kubeflow.package import n_tasks
    from sentei.steps.forecast import forecast

    n_claims = len(frozen.decision["claims"])
    cost = forecast(frozen, quote.price if quote else None)
    return [
        f"plan {frozen.name}",
        *_entry("data", *_data(frozen)),
        *_entry("dense", cost.network),
        *_entry("family", *_family(frozen)),
        *(
            line
            for index, claim in enumerate(cost.claims)
            for line in _entry(("claim" if index < n_claims else "compare"), *claim)
        ),
        *_ledger(frozen, quote),
        *_decision(frozen),
        *_prospects(frozen, quote, workspace),
        *_entry("work", cost.work),
        *_entry("tasks", f"{n_tasks(len(frozen.variants))} tasks of the pipeline"),
    ]


def _ledger(frozen: "Plan", quote: "Quote | None") -> list[str]:
    if quote is None:
        return _entry("ledger", "none: nothing is promised about several runs on these calibration rows together")
    return _entry("ledger", frozen.decision["ledger"], *quote.lines())


def _prospects(frozen: "Plan", quote: "Quote | None", workspace: Path) -> list[str]:
    """Each variant's chance, once a run has left selection figures."""
    from sentei.risk import Claim
    from sentei.risk.decimals import grouped
    from sentei.steps.prospects import prospects

    claims = [Claim(**claim) for claim in frozen.decision["claims"]]
    if quote is not None and quote.price is not None:
        claims = [claim.at(quote.price) for claim in claims]
    if not workspace.is_dir() or not (found := prospects(frozen, workspace, claims)):
        return []
    width = max(len(one.name) for one in found)
    lines = [f"chance to pass on the calibration rows, by the selection split, at the level {claims[0].delta}:"]
    for one in found:
        rows = f"{grouped(one.rows_needed)} rows for 80 %" if one.rows_needed else "no number of rows would do"
        lines.append(f"{one.name:<{width}}  {100 * one.chance:5.1f} %   {rows}")
    return _entry("prospects", *lines)


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
    duplicates = [f"duplicates passed over: {dropped}"] if dropped else []
    return [f"{source}: {rows}", *_without_labels(frozen.examples), *duplicates]


def _without_labels(examples: Mapping[str, Any]) -> list[str]:
    bare = [name for name, facts in examples["splits"].items() if not facts.get("labelled", True)]
    second = examples["request"].get("unlabelled")
    origin = f", from {second['source']}" if second else ""
    return [f"without labels: {', '.join(bare)}{origin}"] if bare else []


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
