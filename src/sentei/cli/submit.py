"""``sentei submit`` and ``sentei follow``: a run on a cluster, begun once, watched, and its outcome as exit code."""

import shlex
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

import click

from sentei.cli.cluster import duration, host_options, order, order_options, reach
from sentei.errors import SenteiError, ServiceError

if TYPE_CHECKING:
    from sentei.adapters.kubeflow.following import Watch
    from sentei.adapters.kubeflow.server import Server

HOW = {
    "new": "run {name}",
    "found": "following {name}, which is under way with the same content; --new begins another",
    "continued": "run {name} continues one that stopped: finished tasks come from the cache",
}
_TIMEOUT = click.option(
    "--timeout", default="6h", show_default=True, metavar="TIME", help="Longest time to follow the run; it goes on."
)
_INTERVAL = click.option(
    "--interval",
    type=click.FloatRange(0.1, 600),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="Between two looks at the run.",
)


@click.command()
@click.argument("recipe")
@host_options
@order_options
@click.option("--new", is_flag=True, help="Begin a new run even if one of the same content is under way or stopped.")
@click.option("--no-wait", is_flag=True, help="Say where the run is, and leave it.")
@_TIMEOUT
@_INTERVAL
def submit(recipe: str, new: bool, no_wait: bool, timeout: str, interval: float, **options: Any) -> None:
    """Run RECIPE (a path, or the name of a shipped recipe) on Kubeflow Pipelines, and follow it to its end.

    Uploads the package for the recipe's platform, unless the server has it. The same command again follows the run
    that it began, if that is under way, and continues it, if it failed; after a success it begins a new one. Ctrl-C
    leaves the run running.

    Exit code 0 for a certificate and for a refusal; a failed run gives the code of its cause, 7 if that is not known.
    """
    from sentei.adapters.kubeflow.submission import submit as begin

    longest = duration("--timeout", timeout)
    wanted = order(recipe, options)
    server = reach(options)
    begun = begin(server, wanted, new=new)
    click.echo(HOW[begun.how].format(name=begun.run.display_name))
    _links(server, begun.run)
    if no_wait:
        click.echo(f"follow it with:  {_again(server, begun.run.run_id)}")
        return
    _to_the_end(server, begun.run.run_id, longest, interval)


@click.command()
@click.argument("run_id")
@host_options
@_TIMEOUT
@_INTERVAL
def follow(run_id: str, timeout: str, interval: float, **options: Any) -> None:
    """Follow the run RUN_ID on Kubeflow Pipelines to its end; exit codes are those of submit."""
    from sentei.adapters.kubeflow.following import watch
    from sentei.cli.tasks import show_tasks

    longest = duration("--timeout", timeout)
    server = reach(options)
    found = watch(server, run_id)
    click.echo(f"run {found.run.display_name}")
    _links(server, found.run)
    if found.ended:  # long ago, perhaps: others may have continued it under its key
        _end(server, show_tasks([found]))
    else:
        _to_the_end(server, run_id, longest, interval)


def _to_the_end(server: "Server", run_id: str, longest: int, interval: float) -> None:
    from sentei.adapters.kubeflow import following
    from sentei.cli.tasks import show_tasks

    try:
        last = show_tasks(following.follow(server, run_id, longest, interval))
    except KeyboardInterrupt:
        click.echo(f"\nthe run goes on; follow it with:  {_again(server, run_id)}", err=True)
        raise click.Abort from None
    except ServiceError as error:
        raise ServiceError(f"{error}\nthe run goes on; follow it with:  {_again(server, run_id)}") from error
    if not last.ended:
        told = f"the run is not over after {longest} s; it goes on, follow it with:  {_again(server, run_id)}"
        raise ServiceError(told)
    if last.run.state != "SUCCEEDED":
        _close(last.run)
    _end(server, last)


def _end(server: "Server", last: "Watch") -> None:
    if last.run.state != "SUCCEEDED":
        explain(server, last)
    _outcome(last.run)


def _links(server: "Server", run: Any) -> None:
    from sentei.adapters.kubeflow.following import mlflow_run

    click.echo(f"in Kubeflow:     {server.access.host}/#/runs/details/{run.run_id}")
    if address := mlflow_run(run)[0]:
        click.echo(f"in MLflow:       {address}")


def _outcome(run: Any) -> None:
    """The verdict and its run in MLflow, where this machine can ask it; the key to find it by elsewhere."""
    from sentei.adapters.kubeflow.following import run_key
    from sentei.adapters.mlflow.lookup import recorded

    key, found = run_key(run), None
    with suppress(SenteiError):  # the run has succeeded, whatever MLflow says of it to this machine
        found = recorded(key)
    if found is None:
        click.echo(f"succeeded; its run in MLflow has the tag sentei.run_key = {key}")
        return
    click.echo(f"{found.verdict or 'succeeded'}: {found.reason}" if found.reason else "succeeded")
    click.echo(f"in MLflow:       {found.address}")


def explain(server: "Server", last: "Watch") -> NoReturn:
    """Raise what made a run fail, of the class that says who can act, as far as its logs tell.

    Raises:
        SenteiError: Always.
    """
    from sentei.adapters.kubeflow.following import errors, logs
    from sentei.cli.cause import cause

    failed = ", ".join(task.name for task in last.tasks if task.count("FAILED")) or "no task that it names"
    where = f"{server.access.host}/#/runs/details/{last.run.run_id}"
    told = f"the run {last.run.state.lower()} at: {failed}"
    for text in logs(server, last.run):
        error = cause(text)
        if f"sentei.errors.{type(error).__name__}" in text:
            raise type(error)(f"{told}\n{error}\nThe logs: {where}") from error
    said = errors(last.run) or "the server does not say why"
    raise ServiceError(f"{told}\n{said}\nThe logs: {where}; the same command continues the run")


def _close(run: Any) -> None:
    """Tell MLflow that a run has failed: no task of it is left to say so, and only Kubeflow's plugin would."""
    from sentei.adapters.kubeflow.following import run_key
    from sentei.adapters.mlflow.lookup import recorded
    from sentei.adapters.mlflow.tracking import fail_run

    with suppress(SenteiError):  # the run's own error is the one to report
        if recorded(run_key(run)):  # this machine knows where MLflow is
            fail_run(run_key(run))


def _again(server: "Server", run_id: str) -> str:
    from sentei.cli.typed import program

    found = server.access
    files = {"--token-file": found.token_file, "--ca": found.ca}
    options = [f" {option} {shlex.quote(str(path))}" for option, path in files.items() if path]
    return f"{program('sentei')} follow {run_id} --host {found.host}{''.join(options)}"
