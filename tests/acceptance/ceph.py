"""Ceph's S3 server with one monitor and one store in memory, as processes of this machine, without containers."""

import json
import shutil
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.services.conftest import free_port, until_it_answers

PACKAGES = ("radosgw", "ceph-mon", "ceph-osd")
STARTS = 10
CONFIGURATION = """\
[global]
fsid = {fsid}
mon host = v1:127.0.0.1:{monitor}
mon initial members = a
auth cluster required = none
auth service required = none
auth client required = none
ms bind msgr2 = false
mon data = {folder}/mon
mon data avail crit = 0
mon data avail warn = 0
mon allow pool size one = true
osd data = {folder}/osd
osd objectstore = memstore
memstore device bytes = 2147483648
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd crush chooseleaf type = 0
run dir = {folder}
admin socket = {folder}/$name.asok
log file = {folder}/$name.log
keyring = {folder}/keyring
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:{gateway}
"""


def install() -> None:
    """Debian's packages, if they are missing and this is root."""
    if shutil.which("radosgw"):
        return
    subprocess.run(["apt-get", "update", "-qq"], check=True)
    command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


@contextmanager
def gateway(folder: Path, key: str, secret: str) -> Iterator[str]:
    """URL of the S3 server, for whoever has these keys; everything ends with the block."""
    install()
    ports, fsid, osd = {"monitor": free_port(), "gateway": free_port()}, str(uuid.uuid4()), str(uuid.uuid4())
    (folder / "ceph.conf").write_text(CONFIGURATION.format(folder=folder, fsid=fsid, **ports))
    for name in ("mon", "osd"):
        (folder / name).mkdir()

    def run(program: str, *arguments: str) -> None:
        subprocess.run([program, *arguments], cwd=folder, check=True, capture_output=True, timeout=300)

    at = ("-c", "ceph.conf")
    run("ceph-authtool", "--create-keyring", "keyring", "--gen-key", "-n", "mon.", "--cap", "mon", "allow *")
    run("monmaptool", "--create", "--addv", "a", f"v1:127.0.0.1:{ports['monitor']}", "--fsid", fsid, "monmap")
    run("ceph-mon", *at, "--mkfs", "-i", "a", "--monmap", "monmap", "--keyring", "keyring")
    with ExitStack() as running:
        running.enter_context(_process(folder, "ceph-mon", *at, "-i", "a", "-f"))
        _patiently(lambda: run("ceph", *at, "--connect-timeout", "240", "osd", "new", osd))
        run("ceph-osd", *at, "-i", "0", "--mkfs", "--osd-uuid", osd)
        running.enter_context(_store(folder, *at))
        user = ("--uid", "sentei", "--display-name", "sentei", "--access-key", key, "--secret-key", secret)
        run("radosgw-admin", *at, "-n", "client.rgw", "user", "create", *user)
        server = running.enter_context(_process(folder, "radosgw", *at, "-n", "client.rgw", "-f"))
        url = f"http://127.0.0.1:{ports['gateway']}"
        until_it_answers(server, url, folder / "radosgw.out")
        yield url


def _patiently(ask: Callable[[], None]) -> None:
    """Asks again: a monitor that has just begun sometimes refuses a client (EPERM) on a busy machine."""
    for _ in range(STARTS - 1):
        try:
            return ask()
        except subprocess.CalledProcessError:
            time.sleep(0.5)
    return ask()


@contextmanager
def _store(folder: Path, *at: str) -> Iterator[None]:
    """The store, once the monitor knows it; the monitor sometimes refuses it, as above, and it ends: started again."""
    for _ in range(STARTS):
        with _process(folder, "ceph-osd", *at, "-i", "0", "-f") as process:
            if _is_up(process, folder, *at):
                yield
                return
    raise AssertionError(f"the store did not start in {STARTS} tries:\n{(folder / 'osd.0.log').read_text()[-2000:]}")


def _is_up(process: "subprocess.Popen[bytes]", folder: Path, *at: str) -> bool:
    """Whether the store came up; False as soon as it has ended."""
    ask = ["ceph", *at, "--connect-timeout", "60", "osd", "stat", "--format", "json"]
    while process.poll() is None:
        told = subprocess.run(ask, cwd=folder, capture_output=True, timeout=120)
        if told.returncode == 0 and json.loads(told.stdout)["num_up_osds"] == 1:
            return True
        time.sleep(0.5)
    return False


@contextmanager
def _process(folder: Path, program: str, *arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
    with (folder / f"{program}.out").open("wb") as out:
        process = subprocess.Popen([program, *arguments], cwd=folder, stdout=out, stderr=out)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
