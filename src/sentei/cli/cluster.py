"""What the commands that speak to Kubeflow have in common: where it is, and what is to be run."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sentei.errors import RecipeError

if TYPE_CHECKING:
    from sentei.adapters.kubeflow.server import Server
    from sentei.adapters.kubeflow.submission import Order

Command = TypeVar("Command", bound=Callable[..., Any])

_HOST = (
    click.option("--host", metavar="URL", help="Kubeflow Pipelines (or set KF_PIPELINES_ENDPOINT)."),
    click.option("--namespace", metavar="NS", help="Namespace of the runs, if not the recipe's."),
    click.option(
        "--token-file",
        type=click.Path(path_type=Path, dir_okay=False),
        help="File with a token, read before each request (or set SENTEI_KUBEFLOW_TOKEN; in a pod its own is found).",
    ),
    click.option(
        "--ca",
        type=click.Path(path_type=Path, dir_okay=False),
        help="File with the certificates that sign the host's.",
    ),
    click.option(
        "--request-timeout",
        type=click.FloatRange(0.1, 3600),
        default=60.0,
        show_default=True,
        metavar="SECONDS",
        help="Longest wait for one answer; no request is tried for more than three times that.",
    ),
)
_ORDER = (
    click.option("--pipeline", type=click.Choice(["compress", "recertify"]), default="compress", show_default=True),
    click.option("--image", help="Image of the components, if not the recipe's."),
    click.option("--experiment", metavar="NAME", help="Experiment of the runs; the recipe's name if left out."),
    click.option("--service-account", metavar="NAME", help="Of the pods, if not the recipe's."),
    click.option("--pipeline-root", metavar="URI", help="Where Kubeflow keeps artifacts, if not the server's place."),
    click.option(
        "--mlflow-by-plugin",
        is_flag=True,
        help="Kubeflow's MLflow plugin tells the pods where to record, not the recipe.",
    ),
)


def host_options(command: Command) -> Command:
    """Adds the options that say where Kubeflow is."""
    return _all(command, _HOST)


def order_options(command: Command) -> Command:
    """Adds the options that say what is to be run, and how."""
    return _all(command, _ORDER)


def reach(options: dict[str, Any]) -> "Server":
    """The server that the options name, once it answers.

    Raises:
        RecipeError: They name none.
        ServiceError: It does not answer as Kubeflow does.
    """
    from sentei.adapters.kubeflow.access import Patience, access
    from sentei.adapters.kubeflow.server import Server

    longest: float = options["request_timeout"]
    patience = Patience(connect=min(10.0, longest), answer=longest, total=3 * longest)
    found = access(options["host"], options["token_file"], options["ca"], options["namespace"])
    return Server(found, patience)


def order(recipe: str, options: dict[str, Any]) -> "Order":
    """What the options ask to run, once everything was checked that can be checked here.

    Raises:
        RecipeError: The recipe is wrong, or would lose on a cluster what it makes.
        ArtifactError: This installation has no such pipeline.
    """
    from sentei.adapters.kubeflow.cluster import cluster_package
    from sentei.adapters.kubeflow.lasting import require_cluster
    from sentei.adapters.kubeflow.package import recipe_text
    from sentei.adapters.kubeflow.submission import Order
    from sentei.recipe import parse_recipe

    text = recipe_text(recipe)
    parsed = parse_recipe(text, recipe)
    require_cluster(parsed, by_plugin=options["mlflow_by_plugin"])
    return Order(
        recipe=text,
        name=parsed.name,
        pipeline=options["pipeline"],
        package=cluster_package(parsed, options["pipeline"], options["image"]),
        namespace=parsed.platform.namespace,
        experiment=options["experiment"] or parsed.name,
        service_account=options["service_account"] or parsed.platform.service_account,
        pipeline_root=options["pipeline_root"],
        require_plugin=options["mlflow_by_plugin"],
    )


def duration(option: str, text: str) -> int:
    """Seconds of a duration such as 45m, 6h or 7d.

    Raises:
        RecipeError: It is none.
    """
    from sentei.recipe.kubernetes_forms import seconds

    digits, unit = text[:-1], text[-1:]
    if not (digits.isascii() and digits.isdigit() and int(digits) > 0 and unit in "smhd"):
        raise RecipeError(f"{option}: expected a whole number and s, m, h or d, such as 6h or 7d, received {text!r}")
    return seconds(text)


def _all(command: Command, options: tuple[Callable[[Any], Any], ...]) -> Command:
    for option in reversed(options):
        command = option(command)
    return command
