"""Real servers on free ports of 127.0.0.1: PostgreSQL as its package gives it, S3 by moto."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

INSTALL = ["apt-get", "install", "--yes", "--quiet", "--quiet", "--no-install-recommends"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def process(words: list[str], log: Path, ready, end=signal.SIGKILL, **settings) -> Iterator[None]:
    """A process that has become ready; ended, with everything that it started, after the block."""
    with log.open("wb") as out:
        started = subprocess.Popen(words, stdout=out, stderr=out, start_new_session=True, **settings)
        try:
            while not ready():
                if started.poll() is not None:
                    pytest.fail(f"{words[0]} ended with {started.returncode}:\n{log.read_text()[-3000:]}")
                time.sleep(0.1)
            yield
        finally:
            os.killpg(started.pid, end)
            started.wait()


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def postgresql() -> Path:
    """Where PostgreSQL's programs are, installed if they were not there."""
    if not (found := _programs()) and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "update", "--quiet", "--quiet"], check=True)
        subprocess.run([*INSTALL, "postgresql"], check=True, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
        found = _programs()
    assert found, "expected PostgreSQL's initdb, found none; install the package postgresql"
    return found[-1]


def _programs() -> list[Path]:
    beside = [Path(path).resolve().parent for name in ("initdb",) if (path := shutil.which(name))]
    return sorted(path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")) or beside


@contextmanager
def database(user: str, password: str, name: str) -> Iterator[int]:
    """The port of a server with one empty database; only this user and password open it."""
    programs, port = postgresql(), free_port()
    folder = Path(tempfile.mkdtemp(prefix="sentei-postgres-"))  # pytest's own folders are closed to other users
    try:
        owner = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        shutil.chown(folder, owner)
        (folder / "password").write_text(password)
        (folder / "password").chmod(0o644)
        data, as_owner = folder / "data", {"user": owner} if os.geteuid() == 0 else {}
        make = [programs / "initdb", "-D", data, "-U", user, "--auth=scram-sha-256", f"--pwfile={folder}/password"]
        subprocess.run(make, check=True, capture_output=True, cwd=folder, **as_owner)
        serve = [programs / "postgres", "-D", data, "-p", str(port), "-k", str(folder), "-h", "127.0.0.1", "-F"]
        # SIGINT: it ends its children itself, and gives its shared memory back.
        with process(serve, folder / "log", lambda: answers(port), signal.SIGINT, cwd=folder, **as_owner):
            client = {**os.environ, "PGPASSWORD": password}
            create = [programs / "createdb", "-h", "127.0.0.1", "-p", str(port), "-U", user, name]
            while subprocess.run(create, env=client, capture_output=True).returncode:
                time.sleep(0.1)  # it listens before it serves
            yield port
    finally:
        shutil.rmtree(folder)


@contextmanager
def object_store(log: Path) -> Iterator[int]:
    port = free_port()
    words = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with process(words, log, lambda: answers(port)):
        yield port
