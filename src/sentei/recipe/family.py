"""The family: every variant that a run will make, from a list, a grid, or both."""

from collections import Counter
from collections.abc import Iterator
from itertools import product
from typing import Annotated, Any

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError
from pydantic_core.core_schema import ValidationInfo

from sentei.recipe.budget import Budget
from sentei.recipe.data_free import DataFree
from sentei.recipe.depth import Depth
from sentei.recipe.numbers import Count, Share
from sentei.recipe.section import Section
from sentei.recipe.variant import Allocation, Criterion, Epochs, Granularity, Layers, Schedule, Variant

_CHOSEN = ("criterion", "granularity", "allocation", "reconstruct", "finetune")
_OF_ALL = ("layers", "round_to", "schedule", "rounds", "round_epochs", "data_free")


class Grid(Section):
    """Every combination of these choices is one variant."""

    criterion: Annotated[list[Criterion], Field(min_length=1)] = Field(["magnitude-l1"])
    granularity: Annotated[list[Granularity], Field(min_length=1)] = Field(["weight"])
    allocation: Annotated[list[Allocation], Field(min_length=1)] = Field(["global"])
    sparsity: Annotated[list[Share], Field(min_length=1)] | None = Field(
        None, description="shares of the prunable weights or units that leave"
    )
    budget: Annotated[list[Budget], Field(min_length=1)] | None = Field(
        None, description="what variants may cost; instead of sparsities"
    )
    depth: Annotated[list[Depth], Field(min_length=1)] | None = Field(
        None, description="fewer layers; with finetune alone"
    )
    reconstruct: Annotated[list[bool], Field(min_length=1)] = Field([False])
    finetune: Annotated[list[Epochs], Field(min_length=1)] = Field([0], description="epochs of recovery")
    layers: Layers = Field(default_factory=dict, description="of all: layer name pattern -> keep, or a sparsity")
    round_to: Count = Field(1, description="of all: channels that stay in a layer are a multiple of this")
    schedule: Schedule = "one-shot"
    rounds: Count = 1
    round_epochs: Count = 1
    data_free: DataFree | None = Field(None, description="of all: how criterion data-free goes about it")

    @model_validator(mode="after")
    def _possible(self) -> "Grid":
        try:
            list(self)
        except ValidationError as error:
            made = error.errors()[0]
            raise PydanticCustomError(made["type"], made["msg"] + " in a combination") from None
        return self

    def __iter__(self) -> Iterator[Variant]:  # type: ignore[override]  # iterating over variants, not over fields
        sizes: list[dict[str, Any]] = [{"sparsity": one} for one in self.sparsity or ()]
        sizes += [{"budget": one} for one in self.budget or ()]
        sizes += [{"depth": one} for one in self.depth or ()]
        common = {name: getattr(self, name) for name in _OF_ALL}
        for *choice, size in product(*(getattr(self, name) for name in _CHOSEN), sizes or [{}]):
            yield Variant(**dict(zip(_CHOSEN, choice, strict=True)), **size, **common)


class Family(Section):
    """The frozen list of variants; the claim's error probability belongs to all of them together."""

    variants: list[Variant] = Field(default_factory=list, description="an explicit list")
    grid: Grid | None = Field(None, validate_default=True, description="every combination of choices")

    @field_validator("grid")
    @classmethod
    def _distinct(cls, grid: Grid | None, info: ValidationInfo) -> Grid | None:
        if "variants" not in info.data:
            return grid  # they have mistakes of their own, which are told already
        names = Counter(variant.name for variant in [*info.data["variants"], *(grid or [])])
        if not names:
            raise PydanticCustomError("family", "expected at least one variant, in variants or in grid")
        twice = sorted(name for name, n in names.items() if n > 1)
        if twice:
            raise PydanticCustomError(
                "family", "expected every variant once; more than once: {names}", {"names": ", ".join(twice[:3])}
            )
        return grid

    def members(self) -> tuple[Variant, ...]:
        """All variants, the listed ones first, in the order in which they were written."""
        return (*self.variants, *(self.grid or ()))
