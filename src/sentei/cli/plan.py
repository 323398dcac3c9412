"""``sentei plan``: what a run would do and cost, without training."""

import os
from pathlib import Path
from typing import Any

import click


@click.command()
@click.argument("recipe")
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    help="Where data sets are looked for first (or set SENTEI_DATA_DIR).",
)
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
    if data_dir is not None:
        os.environ["SENTEI_DATA_DIR"] = str(data_dir.resolve())
    os.environ.setdefault("SENTEI_EVENTS", os.devnull)
    frozen = freeze(text, open_uri)
    click.echo(to_text(frozen.record()) if as_json else "\n".join(_lines(frozen)))


def _lines(frozen: Any) -> list[str]:
    from sentei.steps.forecast import forecast

    splits = frozen.examples["splits"]
    cost = forecast(frozen)
    rows = (
        ", ".join(f"{name} {facts['n_examples']:,}" for name, facts in splits.items())
        .replace(",", " ")
        .replace("  ", ", ")
    )
    dropped = {name: n for name, n in frozen.examples["dropped"].items() if n}
    return [
        f"plan {frozen.name}",
        f"  data       {frozen.examples['request']['source']['source']}: {rows}",
        *([f"             duplicates passed over: {dropped}"] if dropped else []),
        f"  dense      {cost.network}: {cost.parameters:,} parameters, {cost.macs:,} MACs for one example",
        f"  family     {len(frozen.variants)} variants: {', '.join(v['name'] for v in frozen.variants[:4])}"
        + (" ..." if len(frozen.variants) > 4 else ""),
        *(f"  {line}" for line in cost.claim_lines),
        f"  work       {cost.work}",
        f"  tasks      {8 + 3 * len(frozen.variants)} tasks of the pipeline",
    ]
