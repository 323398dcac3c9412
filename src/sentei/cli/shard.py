"""``sentei data shard``: any data set as a sharded one."""

from pathlib import Path
from typing import Any

import click

OPTIONS = (
    click.option("--path", default=None, help="Folder, file or s3:// address of SOURCE, where it takes one."),
    click.option("--size", type=int, nargs=2, default=None, help="Height and width of images."),
    click.option("--channels", type=int, default=None, help="1 for grey, 3 for colour images."),
    click.option("--factory", default=None, help="my_package.data:rows, for the source factory."),
    click.option("--n-classes", type=int, default=None, help="Number of classes, where labels do not tell it."),
    click.option("--limit", type=int, default=None, help="Only the first rows of each part."),
)


@click.command()
@click.argument("source")
@click.argument("to")
@click.option("--rows-per-shard", type=click.IntRange(1), default=1024, show_default=True, help="Rows of one file.")
def shard(source: str, to: str, rows_per_shard: int, **options: Any) -> None:
    """Write the rows of SOURCE to TO in shards: a folder, or s3://bucket/prefix.

    SOURCE is a recipe, whose data section is taken, or the name of a source, such as images or digits. Images and masks
    are read from their files a shard at a time. What stands at TO already is not written again, so a call that was
    killed is simply repeated. A recipe then says "data: {source: shards, path: TO}".
    """
    from sentei.adapters.uris import open_uri
    from sentei.sources import load
    from sentei.sources.shards.places import objects_at
    from sentei.sources.shards.writing import write_shards

    table = load(_request(source, options), open_uri=open_uri, stream=True)
    index = write_shards(table, objects_at(to, open_uri), rows_per_shard, _tell)
    size = sum(one.bytes for one in index.shards)
    click.echo(f"{to}: {index.n_rows} rows in {len(index.shards)} shards, {size} bytes")


for _option in reversed(OPTIONS):
    shard = _option(shard)


def _request(source: str, options: dict[str, Any]) -> dict[str, Any]:
    from sentei.errors import RecipeError
    from sentei.recipe import parse_recipe

    given = {key: list(value) if key == "size" else value for key, value in options.items() if value is not None}
    if not source.endswith((".yaml", ".yml")):
        return {"source": source, **given}
    if set(given) - {"limit"}:
        raise RecipeError(f"{source}: expected no {', '.join(sorted(given))} beside a recipe, which says them itself")
    data = parse_recipe(Path(source).read_text(encoding="utf-8")).data
    if data.unlabelled:
        raise RecipeError(
            f"{source}: data.unlabelled: expected nothing here, because one sharded data set is one source"
        )
    return data.request() | given


def _tell(one: Any, written: bool) -> None:
    click.echo(f"{'wrote' if written else 'found'} {one.name}: {one.rows} rows, {one.bytes} bytes", err=True)
