"""The options of ``sentei run`` that put every task into a container."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sentei.errors import RecipeError

if TYPE_CHECKING:
    from sentei.adapters.kubeflow.containers import Containers
    from sentei.recipe import Recipe

OPTIONS = (
    click.option(
        "--runner",
        type=click.Choice(["subprocess", "docker"]),
        default="subprocess",
        show_default=True,
        help="What a task is: a process on this machine, or a container of --image.",
    ),
    click.option("--image", help="With --runner docker: image of the components, such as make images has built."),
    click.option("--network", default="bridge", show_default=True, help="Docker network of the containers."),
    click.option("--mount", multiple=True, help="Absolute path that containers may read; to write as well, PATH:rw."),
    click.option("--env", multiple=True, help="Name of one more variable that containers are given."),
    click.option("--memory", help="Limit of one container, such as 4g."),
    click.option("--cpus", type=click.FloatRange(min=0, min_open=True), help="Cores that one container may use."),
)
NAMES = ("runner", "image", "network", "mount", "env", "memory", "cpus")


@dataclass(frozen=True)
class Wish:
    """What the command line says of containers."""

    runner: str
    image: str | None
    network: str
    mount: tuple[str, ...]
    env: tuple[str, ...]
    memory: str | None
    cpus: float | None

    def containers(self, recipe: "Recipe") -> "Containers | None":
        """How the tasks are contained; None if they are processes.

        Raises:
            RecipeError: The options do not fit together, or the tasks would not find what the recipe names.
            ServiceError: There is no engine, or no such image.
        """
        if self.runner != "docker":
            if self.image or self.mount or self.env or self.memory or self.cpus:
                raise RecipeError("--image and other options of containers: expected --runner docker beside them")
            return None
        if not self.image:
            raise RecipeError("--runner docker: expected --image as well; make images builds one and prints its name")
        from sentei.adapters.kubeflow.containers import Containers, identifier
        from sentei.adapters.kubeflow.reach import require_reachable

        settings = (self.network, self.mount, self.env, self.memory, self.cpus)
        require_reachable(recipe, Containers("", *settings))
        return Containers(identifier(self.image), *settings)


def container_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options, handed to the command as one ``wish``."""

    @wraps(command)
    def with_wish(**given: Any) -> Any:
        wish = Wish(**{name: given.pop(name) for name in NAMES})
        return command(**given, wish=wish)

    for option in reversed(OPTIONS):
        with_wish = option(with_wish)
    return with_wish


@contextmanager
def contained(root: Path, containers: "Containers | None") -> Iterator[None]:
    """Whatever containers of this workspace are at work is removed, before the block and behind it."""
    if containers is None:
        yield
        return
    from sentei.adapters.kubeflow.containers import remove_left_over

    remove_left_over(root)
    try:
        yield
    finally:
        remove_left_over(root)
