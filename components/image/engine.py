"""The container engine: found running, or started as long as it is needed; and a base image without a registry."""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

SUITE = "bookworm"
# Python and the certificates of public authorities: everything else comes with the packages.
INCLUDED = "python3,ca-certificates"
STARTS_WITHIN_S = 60


@contextmanager
def engine() -> Iterator[None]:
    """A running Docker engine; one that was not running before is ended with the block.

    Raises:
        SystemExit: There is none and it cannot be installed or started; the message says what to do.
    """
    if answers():
        yield
        return
    if os.geteuid() != 0:
        sys.exit("no Docker engine answers; start it (as root: dockerd), or let root run this command")
    _installed("dockerd", "docker.io")
    _installed("iptables", "iptables")
    with TemporaryDirectory() as folder:
        log = Path(folder) / "dockerd.log"
        with log.open("wb") as out:
            process = subprocess.Popen(["dockerd"], stdout=out, stderr=out, start_new_session=True)
        try:
            _until_it_answers(process, log)
            yield
        finally:
            process.terminate()
            process.wait(60)


def answers() -> bool:
    """Whether a Docker engine can be spoken to."""
    return bool(shutil.which("docker")) and _succeeds("docker", "info")


def present(image: str) -> bool:
    """Whether the engine holds an image."""
    return _succeeds("docker", "image", "inspect", image)


def _succeeds(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def base_image() -> str:
    """The image to build on: the one that BASE_IMAGE names, else one made of Debian's packages, without a registry.

    Raises:
        SystemExit: It has to be made, and this is not root on Debian or Ubuntu.
    """
    if named := os.environ.get("BASE_IMAGE"):
        return named
    tag = f"sentei-base:{SUITE}-{hashlib.sha256(INCLUDED.encode()).hexdigest()[:8]}"
    if not present(tag):
        if os.geteuid() != 0 or not shutil.which("apt-get"):
            sys.exit(
                "only root on Debian or Ubuntu can make a base image; name one: BASE_IMAGE=python:3.11-slim-bookworm"
            )
        _installed("mmdebstrap", "mmdebstrap")
        _make_base(tag)
    return tag


def _make_base(tag: str) -> None:
    with TemporaryDirectory() as folder:
        archive = Path(folder) / "root.tar"
        command = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={INCLUDED}", SUITE, str(archive)]
        subprocess.run(command, check=True)
        subprocess.run(["docker", "import", str(archive), tag], check=True, stdout=subprocess.DEVNULL)


def _installed(program: str, package: str) -> None:
    """Have a program; root on Debian installs its package."""
    if shutil.which(program):
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        sys.exit(f"{program} is missing; install it (on Debian and Ubuntu: apt-get install {package})")
    quiet = {"stdout": subprocess.DEVNULL, "env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}}
    subprocess.run(["apt-get", "update", "-qq"], check=True, **quiet)
    subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", package], check=True, **quiet)


def _until_it_answers(process: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(STARTS_WITHIN_S * 5):
        if answers():
            return
        if process.poll() is not None:
            break
        time.sleep(0.2)
    sys.exit(f"dockerd did not start:\n{log.read_text()[-3000:]}")
