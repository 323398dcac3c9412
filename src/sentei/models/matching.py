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
        state: Tensors by the names that ``model.state_dict()`` has, with the same shapes.

    Raises:
        ModelError: Keys are missing or unexpected, or shapes differ; the first few are named. The model is unchanged.
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
    ]
    if any(complaints):
        raise ModelError(
            f"weights do not fit the architecture: {'; '.join(filter(None, complaints))}. "
            "Build the architecture that these weights were saved with"
        )
    model.load_state_dict(dict(state))


def _listing(what: str, keys: list[str]) -> str:
    if not keys:
        return ""
    more = f" and {len(keys) - N_NAMED} more" if len(keys) > N_NAMED else ""
    return f"{what}: {', '.join(keys[:N_NAMED])}{more}"
