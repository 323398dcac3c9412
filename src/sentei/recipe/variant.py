"""A variant: one smaller network, and everything that says how it is made."""

import hashlib
import json
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from sentei.recipe.budget import Budget, padded
from sentei.recipe.numbers import Count, Share
from sentei.recipe.section import Section

Criterion = Literal[
    "magnitude-l1",
    "magnitude-l2",
    "random",
    "lamp",
    "bn-scale",
    "fpgm",
    "taylor",
    "wanda",
    "obd",
    "obs",
    "obs-blocks",
]
UNITS_ONLY, WEIGHTS_ONLY = ("bn-scale", "fpgm"), ("obs-blocks",)
Allocation = Literal["global", "uniform", "isomorphic", "search"]
Schedule = Literal["one-shot", "iterative", "cubic"]
Epochs = Annotated[int, Field(ge=0)]
_GRANULARITY = r"^(weight|channel|[1-9][0-9]?:[1-9][0-9]?|block:[1-9][0-9]?x[1-9][0-9]?)$"


def _granularity(text: str) -> str:
    if not re.fullmatch(_GRANULARITY, text):
        raise PydanticCustomError(
            "granularity", "expected weight, channel, n:m such as 2:4, or rows and columns such as block:4x4"
        )
    return text


Granularity = Annotated[str, AfterValidator(_granularity), WithJsonSchema({"type": "string", "pattern": _GRANULARITY})]
Layers = dict[str, Literal["keep"] | Share]


class Variant(Section):
    """One smaller network to be made."""

    criterion: Criterion = "magnitude-l1"
    granularity: Granularity = Field(
        "weight", description="what leaves: weight, channel (heads, too), 2:4 and other n:m, block:4x4"
    )
    allocation: Allocation = "global"
    sparsity: Share | None = Field(None, description="share of the prunable weights or units that leave, in [0, 1)")
    budget: Budget | None = Field(None, description="what the variant may cost; instead of a sparsity")
    layers: Layers = Field(default_factory=dict, description="exceptions: layer name pattern -> keep, or a sparsity")
    round_to: Count = Field(1, description="channels that stay in a layer are a multiple of this")
    reconstruct: bool = Field(False, description="fit what stays to the dense layers' outputs on the scoring rows")
    schedule: Schedule = Field("one-shot", description="iterative and cubic prune in rounds, with training in between")
    rounds: Count = 1
    round_epochs: Count = Field(1, description="epochs of recovery between two rounds")
    finetune: Epochs = Field(0, description="epochs of recovery after pruning")

    @model_validator(mode="after")
    def _possible(self) -> "Variant":
        for expected in _faults(self):
            raise PydanticCustomError("variant", "expected {expected}", {"expected": expected})
        return self

    @property
    def name(self) -> str:
        """Says how the variant is made, such as ``magnitude-l1-global-0.90-ft2``."""
        parts = [self.criterion, *([] if self.granularity == "weight" else [self.granularity.replace(":", "-")])]
        parts += [self.allocation] if self.sparsity is not None or self.budget else []
        parts += [padded(self.sparsity)] if self.sparsity is not None else []
        parts += [self.budget.text] if self.budget else []
        parts += [f"layers{_short(self.layers)}"] if self.layers else []
        parts += [f"r{self.round_to}"] if self.round_to > 1 else []
        parts += ["reconstructed"] if self.reconstruct else []
        parts += [f"{self.schedule}{self.rounds}x{self.round_epochs}"] if self.rounds > 1 else []
        return "-".join([*parts, *([f"ft{self.finetune}"] if self.finetune else [])])

    def specification(self) -> dict[str, Any]:
        """All of it but the recovery, as the plan freezes it; what older plans lack stands there only if chosen."""
        always = {"criterion": self.criterion, "granularity": self.granularity, "allocation": self.allocation}
        chosen = self.model_dump(exclude={"finetune", "layers"}, exclude_defaults=True)
        return {**always, **chosen, **({"layers": _pairs(self.layers)} if self.layers else {})}


def _pairs(layers: Layers) -> list[list[str]]:
    """Pattern and wish in the order of the recipe, which decides; the names of a mapping lose it in a plan's text."""
    return [[pattern, wish] for pattern, wish in layers.items()]


def _short(layers: Layers) -> str:
    return hashlib.sha256(json.dumps(_pairs(layers)).encode()).hexdigest()[:6]


def _faults(variant: Variant) -> list[str]:
    """What does not go together."""
    channel, n_of_m = variant.granularity == "channel", ":" in variant.granularity and "x" not in variant.granularity
    given = [name for name in ("sparsity", "budget") if getattr(variant, name) is not None]
    checks = {
        f"no sparsity and no budget beside granularity {variant.granularity}, which says both": n_of_m and given,
        "exactly one of sparsity and budget": not n_of_m and len(given) != 1,
        f"granularity channel beside criterion {variant.criterion}": not channel and variant.criterion in UNITS_ONLY,
        f"granularity weight beside criterion {variant.criterion}": channel and variant.criterion in WEIGHTS_ONLY,
        "granularity channel and a budget beside allocation search": variant.allocation == "search"
        and not (channel and variant.budget),
        "granularity channel beside round_to": variant.round_to > 1 and not channel,
        "a budget in parameters or bytes, because masks spare nothing else": variant.budget
        and not channel
        and not (variant.budget.parameters or variant.budget.bytes),
        "granularity weight or channel beside a budget": variant.budget and "block" in variant.granularity,
        "schedule iterative or cubic beside rounds above 1": (variant.rounds > 1) != (variant.schedule != "one-shot"),
        "schedule one-shot beside granularity n:m": n_of_m and variant.rounds > 1,
        "schedule iterative or cubic beside round_epochs": variant.round_epochs > 1 and variant.schedule == "one-shot",
        "n below m in granularity n:m": n_of_m and not _fewer(variant.granularity),
        "allocation global beside granularity n:m, which takes the same from everywhere": n_of_m
        and variant.allocation != "global",
        "keep alone in layers beside granularity n:m": n_of_m and set(variant.layers.values()) - {"keep"},
    }
    return [text for text, wrong in checks.items() if wrong]


def _fewer(granularity: str) -> bool:
    n, m = map(int, granularity.split(":"))
    return n < m
