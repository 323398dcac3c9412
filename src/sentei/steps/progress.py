"""What a running step tells whoever watches: one JSON line per event, appended to the file ``SENTEI_EVENTS``.

Without that variable, as on a cluster, the events are printed. A step whose run was killed also ends itself here.
"""

import json
import os
import platform
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def tell(event: str, **facts: str | int | float) -> None:
    """Append one event; a line is written by one call, so that parallel steps never mix theirs.

    It names the machine and the process; in containers every process may have the same number.
    """
    origin = {"host": platform.node(), "pid": os.getpid()}
    line = json.dumps({"event": event, "at": time.time(), **origin, **facts}) + "\n"
    target = os.environ.get("SENTEI_EVENTS")
    if not target:
        print(line, end="", flush=True)
        return
    with Path(target).open("a", encoding="utf-8") as file:
        file.write(line)


@contextmanager
def stage(name: str, subject: str) -> Iterator[None]:
    """Tell that a stage begins for a subject, such as ``prune`` for a variant, and that it ends."""
    end_with_the_run()
    tell("begin", stage=name, subject=subject)
    yield
    tell("end", stage=name, subject=subject)


@contextmanager
def work(kind: str) -> Iterator[None]:
    """Mark the time spent in training, inference or pruning, as against the framework around it."""
    started = time.time()
    try:
        yield
    finally:
        tell("work", kind=kind, started=started)


def end_with_the_run() -> None:
    """End this process when ``SENTEI_RUNNER_PID`` ends: a run that was killed cannot end what it started."""
    runner = os.environ.get("SENTEI_RUNNER_PID")
    if runner:
        end_with(int(runner))


def end_with(pid: int) -> None:
    """This process ends soon after another one does, however that one ends."""
    if not any(thread.name == "sentei-watch" for thread in threading.enumerate()):
        threading.Thread(target=_watch, args=(pid,), name="sentei-watch", daemon=True).start()


def _watch(runner: int) -> None:
    while _alive(runner):
        time.sleep(0.2)
    os._exit(70)


def _alive(pid: int) -> bool:
    """Whether a process runs; a dead one whose parent has not looked yet (a zombie) does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return Path("/proc").exists() is False and _signalled(pid)


def _signalled(pid: int) -> bool:
    """The same where there is no /proc, as on macOS."""
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True
