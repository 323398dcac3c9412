"""A variant: one smaller network, and everything that says how it is made."""

import hashlib
import json
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from sentei.recipe.budget import Budget, padded
from sentei.recipe.combinations import faults
from sentei.recipe.data_free import DataFree
from sentei.recipe.depth import Depth
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
    "data-free",
]
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
    data_free: DataFree | None = Field(None, description="how criterion data-free goes about it")
    depth: Depth | None = Field(None, description="fewer layers, instead of everything above but the epochs")

    @model_validator(mode="after")
    def _possible(self) -> "Variant":
        for expected in faults(self):
            raise PydanticCustomError("variant", "expected {expected}", {"expected": expected})
        return self

    @property
    def name(self) -> str:
        """Says how the variant is made, such as ``magnitude-l1-global-0.90-ft2``."""
        parts = [*self.depth.names(self.round_epochs)] if self.depth else self._pruned_names()
        return "-".join([*parts, *([f"ft{self.finetune}"] if self.finetune else [])])

    def _pruned_names(self) -> list[str]:
        parts = [self.criterion, *([] if self.granularity == "weight" else [self.granularity.replace(":", "-")])]
        parts += self.data_free.names() if self.data_free else []
        parts += [self.allocation] if self.sparsity is not None or self.budget else []
        parts += [padded(self.sparsity)] if self.sparsity is not None else []
        parts += [self.budget.text] if self.budget else []
        parts += [f"layers{_short(self.layers)}"] if self.layers else []
        parts += [f"r{self.round_to}"] if self.round_to > 1 else []
        parts += ["reconstructed"] if self.reconstruct else []
        return parts + ([f"{self.schedule}{self.rounds}x{self.round_epochs}"] if self.rounds > 1 else [])

    def specification(self) -> dict[str, Any]:
        """All of it but the recovery, as the plan freezes it; what older plans lack stands there only if chosen."""
        always = {"criterion": self.criterion, "granularity": self.granularity, "allocation": self.allocation}
        if self.depth:
            always = {"criterion": self.depth.criterion, "granularity": self.depth.granularity, "allocation": "none"}
        chosen = self.model_dump(exclude={"finetune", "layers", "depth"}, exclude_defaults=True)
        if self.depth:
            chosen["depth"] = self.depth.model_dump(exclude_none=True, exclude={"by"})
        if self.layers:
            chosen["layers"] = _pairs(self.layers)
        return {name: value for name, value in {**always, **chosen}.items() if value != {}}

    @property
    def chain(self) -> str:
        """What the randomness of its training is drawn for: iterates of one chain of shallower networks share it."""
        return self.depth.chain(self.round_epochs) if self.depth else self.name

    @property
    def scored(self) -> bool:
        """Whether its weights or units are scored before it is made."""
        return not self.depth and self.criterion != "data-free"

    @property
    def trains_between(self) -> bool:
        """Whether the network is trained while it is made."""
        return self.rounds > 1 or bool(self.depth and self.depth.activations)


def _pairs(layers: Layers) -> list[list[str]]:
    """Pattern and wish in the order of the recipe, which decides; the names of a mapping lose it in a plan's text."""
    return [[pattern, wish] for pattern, wish in layers.items()]


def _short(layers: Layers) -> str:
    return hashlib.sha256(json.dumps(_pairs(layers)).encode()).hexdigest()[:6]
