"""``sentei run``: the compiled pipeline on this machine, watched, and reported at the end."""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from sentei.cli.containers import Wish, contained, container_options
from sentei.cli.rows import data_dir_option, look_first
from sentei.errors import ArtifactError, DataError, ModelError, RecipeError, ServiceError

if TYPE_CHECKING:
    from sentei.adapters.kubeflow.workspace import LocalRun, Workspace

# What helps after each kind of fault; after others, such as a certificate that does not hold, nothing simple does.
ADVICE = {
    **dict.fromkeys(
        (ArtifactError, DataError, ServiceError), "the same command continues the run once the cause is removed"
    ),
    **dict.fromkeys((RecipeError, ModelError), "correct the recipe and start again"),
}


@click.command()
@click.argument("recipe")
@click.option(
    "--workspace",
    type=click.Path(path_type=Path),
    default=Path(".sentei"),
    show_default=True,
    help="Folder for artifacts and caches; a run that was killed continues from it.",
)
@data_dir_option
@click.option(
    "--pipeline",
    type=click.Choice(["compress", "recertify"]),
    default="compress",
    show_default=True,
    help="recertify tests the version that is served again on fresh rows, and may demote it (exit code 10).",
)
@click.option("--new", is_flag=True, help="Begin a new run even if the last one of this recipe was cut short.")
@container_options
def run(recipe: str, workspace: Path, data_dir: Path | None, pipeline: str, new: bool, wish: Wish) -> None:
    """Run RECIPE (a path, or the name of a shipped recipe) end to end on this machine.

    Every task of the compiled Kubeflow pipeline runs as a process here, or, with --runner docker, in a container of
    its own. MLflow records to ./mlflow.db, or to the server that MLFLOW_TRACKING_URI names. A run that was killed is
    continued by the same command.
    """
    from sentei.adapters.kubeflow.package import recipe_text
    from sentei.adapters.kubeflow.workspace import Workspace
    from sentei.recipe import parse_recipe

    text = recipe_text(recipe)
    parsed = parse_recipe(text, recipe)
    look_first(data_dir)
    containers = wish.containers(parsed)
    place = Workspace(workspace.resolve())
    with place.locked(), contained(place.root, containers):
        image = containers.image if containers else ""
        started = place.begin(parsed.name, text, new=new, pipeline=pipeline, image=image)
        if containers:
            containers.write(started.folder)
        click.echo(f"{'continuing' if started.resumed else 'run'} {started.key}; details in {_near(started.log)}")
        _watch(place, started, len(parsed.family.members()))
        started.finish()
    result = json.loads(started.result.read_text())
    if pipeline == "recertify":
        from sentei.cli import recertification

        sys.exit(recertification.show(result))
    from sentei.cli.report import show

    show(result)


def _watch(place: "Workspace", started: "LocalRun", n_variants: int) -> None:
    from sentei.adapters.kubeflow.package import n_tasks
    from sentei.adapters.kubeflow.runner import start
    from sentei.cli.progress import follow

    started.result.unlink(missing_ok=True)
    told_before = started.log.stat().st_size if started.log.exists() else 0
    process = start(place, started)
    try:
        follow(started.events, process, n_tasks(n_variants, started.pipeline))
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()
    if process.returncode != 0 or not started.result.is_file():
        explain(started.log, told_before)


def explain(log: Path, told_before: int) -> NoReturn:
    """Raise what stopped this start of a run, with what helps.

    Args:
        log: What all starts of the run have told.
        told_before: How many bytes of it are of earlier starts, and past.
    """
    from sentei.cli.cause import cause

    error = cause(log.read_bytes()[told_before:].decode(errors="replace"))
    advice = ADVICE.get(type(error), "do not use what the run made")
    raise type(error)(f"the pipeline stopped: {error}\nThe whole log: {_near(log)}; {advice}") from error


def _near(path: Path) -> str:
    return os.path.relpath(path)
