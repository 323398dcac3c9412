"""The recipe's data section: which rows, and how many of them each split receives."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError
from pydantic_core.core_schema import ValidationInfo

from sentei.factories import FORM
from sentei.recipe.arguments import Arguments
from sentei.recipe.numbers import Count
from sentei.recipe.section import Section
from sentei.recipe.sources import Source, wish

Factory = Annotated[str, Field(pattern=f"^{FORM}$")]


class Splits(Section):
    """How many rows each split receives; the five never share a row."""

    train: Count | Literal["rest"] = Field("rest", description="rows to train on; 'rest' takes what the others leave")
    scoring: Count = Field(description="rows for importance scores and BatchNorm re-estimation")
    selection: Count = Field(description="rows that order the variants")
    calibration: Count = Field(description="rows that carry the claim, and nothing else")
    test: Count | Literal["own"] = Field(
        "own", description="rows of the final report; 'own' is the data set's test part"
    )


class Rows(Section):
    """Rows without labels, for selection and calibration; all other splits come from the labelled rows."""

    source: Source = Field(description="kind of data set")
    path: str | None = Field(
        None, description="folder or file of an idx, images, masks, npz or shards source; may be s3://bucket/key"
    )
    size: Annotated[list[Count], Field(min_length=2, max_length=2)] | None = Field(
        None, description="[height, width] of images"
    )
    channels: Literal[1, 3] | None = Field(None, description="1 for grey, 3 for colour images")
    factory: Factory | None = Field(
        None, description="my_package.data:rows, from a module that SENTEI_FACTORIES allows"
    )
    kwargs: Arguments = Field(default_factory=dict, description="arguments of the factory")
    limit: Count | None = Field(None, description="use only the first rows of each part")

    @field_validator("path", "size", "channels", "factory", "kwargs", "n_classes", check_fields=False)
    @classmethod
    def _as_its_source_wishes(cls, value: Any, info: ValidationInfo) -> Any:
        source = info.data.get("source")
        wished = wish(source, str(info.field_name), given=value not in (None, {})) if source else ""
        if wished:
            facts = {"wished": wished, "source": source}
            raise PydanticCustomError("source", "expected {wished}, because source is '{source}'", facts)
        return value

    model_config = ConfigDict(validate_default=True)

    def request(self) -> dict[str, Any]:
        """What ``sentei.sources.load`` is told: the keys that the recipe gives."""
        given = self.model_dump(include=set(Rows.model_fields) | {"n_classes"}, exclude_none=True)
        return {key: value for key, value in given.items() if value != {}}


class Data(Rows):
    """Where the examples come from."""

    n_classes: Annotated[int, Field(ge=2)] | None = Field(
        None, description="number of classes, where the labels do not tell it: without labels, or with rare classes"
    )
    duplicates: Literal["refuse", "drop"] = Field(
        "refuse", description="exact duplicates across splits: an error, or dropped"
    )
    unlabelled: Rows | None = Field(
        None, description="rows without labels that fill selection and calibration, for claims about disagreement"
    )
    splits: Splits
