"""The machine that a step runs on: how many threads it may use, and what a certificate records of it."""

import hashlib
import os
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

RECORDED = ("sentei", "numpy", "scipy", "torch", "onnx", "onnxruntime")
# Below this, threads wait for each other longer than they compute: a LeNet-5 at batch 128 (5e7) gains nothing from a
# second thread and loses a factor of three where another process uses the core; a ResNet-20 (4e9) gains.
WORTH_DIVIDING = 500_000_000
NUMERIC_FLAGS = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "avx_vnni", "amx_bf16", "amx_int8", "asimd", "sve")


def threads(*, shared: bool) -> int:
    """How many threads a step may use.

    Args:
        shared: Whether variants run side by side on this machine (``SENTEI_SIDE_BY_SIDE`` of them).
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // int(os.environ.get("SENTEI_SIDE_BY_SIDE", "1"))) if shared else cores


def use_threads(*, shared: bool, macs_per_batch: int | None = None) -> int:
    """Give torch its threads, and ask it for results that repeat.

    Args:
        shared: Whether variants run side by side on this machine.
        macs_per_batch: Multiply-accumulates of one forward pass, if known; a small one is not worth dividing.
    """
    import torch

    count = threads(shared=shared)
    if macs_per_batch is not None and macs_per_batch < WORTH_DIVIDING:
        count = 1
    torch.set_num_threads(count)
    torch.set_deterministic_debug_mode("error")  # the other switch imports torch's compiler first, for seconds
    return count


def runtime_facts(n_threads: int) -> dict[str, Any]:
    """What a certificate says of the machine: package versions, numeric CPU flags, thread count."""
    return {"packages": _packages(), "cpu": _cpu_flags(), "threads": n_threads}


@cache
def sources_digest() -> str:
    """SHA-256 over every source file of the installed package: the code version that a certificate names."""
    root = Path(__file__).resolve().parents[1]
    total = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        total.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()


def _packages() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in RECORDED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue  # a slim image may serve without torch; what is absent had no influence
    return found


def _cpu_flags() -> list[str]:
    info = Path("/proc/cpuinfo")
    text = info.read_text() if info.exists() else ""
    flags = next(
        (line.partition(":")[2].split() for line in text.splitlines() if line.startswith(("flags", "Features"))), []
    )
    return [platform.machine(), *(flag for flag in NUMERIC_FLAGS if flag in flags)]
