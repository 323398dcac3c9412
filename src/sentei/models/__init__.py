"""Hands on the dense model: architectures as data, one training loop, BatchNorm re-estimation.

    architecture -> build -> train -> reestimate_batchnorm -> logits

Names are looked up on first use, so that reading an `Architecture` from a recipe does not import torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sentei.models.architecture import Architecture
    from sentei.models.batchnorm import reestimate_batchnorm
    from sentei.models.factory import build
    from sentei.models.inference import logits
    from sentei.models.matching import match_state
    from sentei.models.settings import TrainSettings
    from sentei.models.state import EpochRecord, History, TrainState
    from sentei.models.training import train

__all__ = [
    "Architecture",
    "EpochRecord",
    "History",
    "TrainSettings",
    "TrainState",
    "build",
    "logits",
    "match_state",
    "reestimate_batchnorm",
    "train",
]

_HOME = {
    "Architecture": "architecture",
    "EpochRecord": "state",
    "History": "state",
    "TrainSettings": "settings",
    "TrainState": "state",
    "build": "factory",
    "logits": "inference",
    "match_state": "matching",
    "reestimate_batchnorm": "batchnorm",
    "train": "training",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
