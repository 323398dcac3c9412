"""Runs every task of a local run in a container: what it may see, what it is told, and how it ends."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sentei.errors import ServiceError

IMAGE_USER = 10001
"""Whom the image runs as; containers of root's runs run as that user, others as their caller."""
LABEL = "sentei.workspace"
PASSED = (
    *("MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"),
    *("MLFLOW_TRACKING_INSECURE_TLS", "MLFLOW_S3_ENDPOINT_URL", "MLFLOW_WORKSPACE"),
    *("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "MLFLOW_HTTP_REQUEST_TIMEOUT"),
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION", "AWS_REGION"),
    *("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_EC2_METADATA_DISABLED"),
    *("SENTEI_FACTORIES", "SENTEI_SIGNING_KEY", "SENTEI_SIGNING_PASSWORD", "SENTEI_DATA_DIR", "OMP_NUM_THREADS"),
)
"""Variables that a container is given if they are set; nothing else of the caller's environment reaches it."""
SEEN = ("SENTEI_SIGNING_KEY", "SENTEI_DATA_DIR")
"""Those among them that name a file or folder, which is mounted to be read."""


@dataclass(frozen=True)
class Containers:
    """How the tasks of a run are contained.

    Attributes:
        image: Identifier of the image's content.
        network: Name of the Docker network.
        mounts: Folders that tasks see at their own path: ``/path`` to be read, ``/path:rw`` to be written as well.
        environment: Names of further variables to pass on.
        memory: Limit of one container, such as ``4g``; none if None.
        cpus: Cores that one container may use; all if None.
    """

    image: str
    network: str = "bridge"
    mounts: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    memory: str | None = None
    cpus: float | None = None

    def write(self, folder: Path) -> None:
        """Keep the settings beside a run's recipe; they hold names, and no secret's value."""
        (folder / "containers.json").write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> "Containers | None":
        """The settings of a run; None if its tasks are processes."""
        path = folder / "containers.json"
        if not path.is_file():
            return None
        kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        lists: dict[str, Any] = {name: tuple(kept.pop(name)) for name in ("mounts", "environment")}
        return cls(**kept, **lists)

    def sees(self, path: Path, *, write: bool = False) -> bool:
        """Whether a place stands under a mount, one to be written if asked for."""
        mounts = (mount.removesuffix(":rw") for mount in self.mounts if mount.endswith(":rw") or not write)
        return any(path.is_relative_to(mount) for mount in mounts)


def identifier(image: str) -> str:
    """What names an image's content, so that a tag that moved never meets another image's cached results.

    Raises:
        ServiceError: No engine answers, or it does not have the image.
    """
    import docker

    with _engine() as client:
        try:
            return str(client.images.get(image).id)
        except docker.errors.ImageNotFound as error:
            raise ServiceError(f"{image}: no such image on this machine; docker pull it, or make images") from error


def remove_left_over(root: Path) -> None:
    """Remove containers that a killed run of this workspace has left at work."""
    with _engine() as client:
        for container in client.containers.list(all=True, filters={"label": f"{LABEL}={root}"}):
            container.remove(force=True)


def user() -> tuple[int, int]:
    """Whom containers run as: never root."""
    return (os.getuid(), os.getgid()) if os.getuid() else (IMAGE_USER, IMAGE_USER)


def hand_over(root: Path, folder: Path) -> None:
    """Let the user of the containers write where tasks write; the folders are closed to everyone else.

    Args:
        root: The workspace.
        folder: Of the run.
    """
    events = folder / "events.jsonl"
    events.touch()
    inner = [root / name for name in ("pipeline", "tasks", "examples", "checkpoints", "runs")]
    for path in inner:
        path.mkdir(exist_ok=True)
    for path in (root, *inner, folder, events):
        if os.getuid() == 0:
            os.chown(path, *user())
    root.chmod(0o700)


def arguments(settings: Containers, root: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    """What ``kfp.local.DockerRunner`` is given.

    Args:
        settings: How the tasks are contained.
        root: The workspace, seen by tasks at its own path.
        environment: What a task of this run finds in its environment where it is a process.
    """
    own = ("SENTEI_CHECKPOINTS", "SENTEI_EVENTS", "SENTEI_SIDE_BY_SIDE", "OMP_WAIT_POLICY")
    names = (*PASSED, *own, *settings.environment)
    given = {name: environment[name] for name in names if name in environment}
    return {
        "environment": {**given, "SENTEI_CACHE": str(root / "examples")},
        "mounts": list(_mounts(settings, root, environment)),
        "network": settings.network,
        "user": "{}:{}".format(*user()),
        "read_only": True,
        "tmpfs": {"/tmp": "rw,mode=1777"},  # the container's own, which goes with it
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "labels": {LABEL: str(root)},
        **({"mem_limit": settings.memory} if settings.memory else {}),
        **({"nano_cpus": int(settings.cpus * 1e9)} if settings.cpus else {}),
    }


def _mounts(settings: Containers, root: Path, environment: Mapping[str, str]) -> Iterator[Any]:
    from docker.types import Mount

    yield Mount(str(root), str(root), type="bind")
    for mount in settings.mounts:
        path = mount.removesuffix(":rw")
        yield Mount(path, path, type="bind", read_only=path == mount)
    for path in (environment[name] for name in SEEN if environment.get(name)):
        yield Mount(str(Path(path).resolve()), str(Path(path).resolve()), type="bind", read_only=True)


def run_container(client: Any, image: str, command: list[str], volumes: dict[str, Any], **settings: Any) -> int:
    """The exit code of a container that was waited for, and then removed.

    It takes the place of kfp's own function, whose containers remove themselves: one that is gone before kfp asks for
    its exit code counts as a success there.
    """
    container = client.containers.run(image=image, command=command, detach=True, volumes=volumes, **settings)
    try:
        for line in lines(container.logs(stream=True)):
            print(line)
        return int(container.wait()["StatusCode"])
    finally:
        container.remove(force=True)


def lines(chunks: Iterator[bytes]) -> Iterator[str]:
    r"""Whole lines of a text that comes in pieces of any size.

    Example:
        >>> list(lines(iter([b"one\nt", b"wo", b"\n"])))
        ['one', 'two']
    """
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line.decode(errors="replace") for line in whole)
    if rest:
        yield rest.decode(errors="replace")


@contextmanager
def _engine() -> Iterator[Any]:
    import docker

    try:
        client = docker.from_env()
        client.ping()
    except docker.errors.DockerException as error:
        raise ServiceError(f"no Docker engine answers: {error}; start one, or use --runner subprocess") from error
    try:
        yield client
    finally:
        client.close()
