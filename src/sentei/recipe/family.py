"""The family: every variant that a run will make, from a list, a grid, or both."""

from collections import Counter
from collections.abc import Iterator
from itertools import product
from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError
from pydantic_core.core_schema import ValidationInfo

from sentei.recipe.numbers import Share
from sentei.recipe.section import Section

Criterion = Literal["magnitude-l1", "magnitude-l2", "random"]
Granularity = Literal["weight"]
Allocation = Literal["global", "uniform"]
Epochs = Annotated[int, Field(ge=0)]


class Variant(Section):
    """One smaller network to be made."""

    criterion: Criterion = "magnitude-l1"
    granularity: Granularity = "weight"
    allocation: Allocation = "global"
    sparsity: Share = Field(description="share of the prunable weights that leave, in [0, 1)")
    finetune: Epochs = Field(0, description="epochs of recovery after pruning")

    @property
    def name(self) -> str:
        """Says how the variant is made, such as ``magnitude-l1-global-0.90-ft2``."""
        digits = max(2, len(self.sparsity.partition(".")[2]))
        tail = f"-ft{self.finetune}" if self.finetune else ""
        return f"{self.criterion}-{self.allocation}-{float(self.sparsity):.{digits}f}{tail}"


class Grid(Section):
    """Every combination of these choices is one variant."""

    criterion: Annotated[list[Criterion], Field(min_length=1)] = Field(["magnitude-l1"])
    granularity: Annotated[list[Granularity], Field(min_length=1)] = Field(["weight"])
    allocation: Annotated[list[Allocation], Field(min_length=1)] = Field(["global"])
    sparsity: Annotated[list[Share], Field(min_length=1)] = Field(
        description="shares of the prunable weights that leave"
    )
    finetune: Annotated[list[Epochs], Field(min_length=1)] = Field([0], description="epochs of recovery")

    def __iter__(self) -> Iterator[Variant]:  # type: ignore[override]  # iterating over variants, not over fields
        for c, g, a, f, s in product(self.criterion, self.granularity, self.allocation, self.finetune, self.sparsity):
            yield Variant(criterion=c, granularity=g, allocation=a, sparsity=s, finetune=f)


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
