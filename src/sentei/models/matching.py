"""Weights into a network, only if every one of them has its place."""

from collections.abc import Mapping

import torch
from torch import nn

from sentei.errors import ModelError

N_NAMED = 5


def match_state(model: nn.Module, state: Mapping[str, torch.Tensor]) -> None:
    """The network carries exactly these weights from now on.

    Args:
        model: Changed in place.
        state: Tensors by the names that ``model.state_dict()`` has, with the same shapes. Floating-point tensors of
            another precision (float16, bfloat16, float64) are rounded to the network's own, which is float32 unless
            its author chose otherwise; every other tensor has exactly the network's type.

    Raises:
        ModelError: Keys are missing or unexpected, or shapes or kinds of number differ; the first few are named. The
            model is unchanged.
    """
    own = model.state_dict()
    complaints = [
        _listing("missing", [key for key in own if key not in state]),
        _listing("unexpected", [key for key in state if key not in own]),
        _listing(
            "of another shape",
            [
                f"{key} {tuple(state[key].shape)} for {tuple(own[key].shape)}"
                for key in own
                if key in state and state[key].shape != own[key].shape
            ],
        ),
        _listing(
            "of another kind of number",
            [
                f"{key} {state[key].dtype} for {own[key].dtype}"
                for key in own
                if key in state and not _rounds_to(state[key], own[key])
            ],
        ),
    ]
    if any(complaints):
        raise ModelError(
            f"weights do not fit the architecture: {'; '.join(filter(None, complaints))}. "
            "Build the architecture that these weights were saved with"
        )
    model.load_state_dict(dict(state))


def _rounds_to(tensor: torch.Tensor, own: torch.Tensor) -> bool:
    """Integers in the place of weights were scaled by someone, and rounding would not undo it."""
    return tensor.dtype == own.dtype or (tensor.is_floating_point() and own.is_floating_point())


def _listing(what: str, keys: list[str]) -> str:
    if not keys:
        return ""
    more = f" and {len(keys) - N_NAMED} more" if len(keys) > N_NAMED else ""
    return f"{what}: {', '.join(keys[:N_NAMED])}{more}"
