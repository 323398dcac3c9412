"""One function per stage of the pipeline: folders in, folders out; each imports what it uses, and no more."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sentei.steps.assemble import assemble
    from sentei.steps.calibrate import calibrate
    from sentei.steps.evaluate import evaluate
    from sentei.steps.finetune import finetune
    from sentei.steps.plan import plan
    from sentei.steps.prune import prune
    from sentei.steps.score import score_importance
    from sentei.steps.train import train

_HOMES = {
    "plan": "plan",
    "train": "train",
    "score_importance": "score",
    "prune": "prune",
    "finetune": "finetune",
    "evaluate": "evaluate",
    "calibrate": "calibrate",
    "assemble": "assemble",
}

__all__ = ["assemble", "calibrate", "evaluate", "finetune", "plan", "prune", "score_importance", "train"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
