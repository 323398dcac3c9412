"""Where training computes, how exactly, and that it computes the same every time."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

WIDE = 16
"""Input channels from which bfloat16 convolutions were measured to be faster: twice in ResNet-20, not in LeNet-5."""


def pick_device(local_rank: int = 0) -> torch.device:
    """The accelerator if there is one, else the processor.

    Args:
        local_rank: This process among those of its machine.

    Returns:
        A device.
    """
    return torch.device("cuda", local_rank) if torch.cuda.is_available() else torch.device("cpu")


def computes_bfloat16(precision: str, model: nn.Module, device: torch.device) -> bool:
    """Whether the forward pass runs in bfloat16.

    Args:
        precision: ``auto``, ``float32`` or ``bfloat16``.
        model: ``auto`` takes bfloat16 only with wide convolutions: small layers lose more than they win.
        device: ``auto`` takes bfloat16 only where it is computed and not imitated.

    Returns:
        True for bfloat16 autocast.
    """
    if precision != "auto":
        return precision == "bfloat16"
    if device.type == "cuda":
        able = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        known: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()  # older versions of torch cannot say
        able = any(known.get(name) for name in ("avx512_bf16", "amx_bf16"))
    wide = any(isinstance(module, nn.Conv2d) and module.in_channels >= WIDE for module in model.modules())
    return able and wide


@contextmanager
def repeatable() -> Iterator[None]:
    """Only deterministic algorithms inside; the caller's settings and random numbers come back after.

    Yields:
        Nothing.
    """
    before = torch.get_deterministic_debug_mode()
    deterministic: Any = torch.utils.deterministic  # a module with properties, which no type checker knows
    fill = deterministic.fill_uninitialized_memory
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS repeats itself only with a fixed workspace
    torch.set_deterministic_debug_mode("error")
    deterministic.fill_uninitialized_memory = False  # finds bugs, and costs time in every step
    try:
        with torch.random.fork_rng():
            yield
    finally:
        torch.set_deterministic_debug_mode(before)
        deterministic.fill_uninitialized_memory = fill


def mixed_seed(*parts: object) -> int:
    """One seed from several parts, so that (seed, epoch) pairs never meet by addition.

    Args:
        parts: Integers and words; order matters.

    Returns:
        In [0, 2**63).

    Example:
        >>> mixed_seed(1, "epoch", 2) == mixed_seed(1, "epoch", 2), mixed_seed(1, 2) == mixed_seed(2, 1)
        (True, False)
    """
    mixed = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(mixed[:8], "big") >> 1
