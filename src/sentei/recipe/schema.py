"""The recipe's shape: every field a user can write, with its meaning, range and default."""

import re
from typing import Annotated, Any, Literal

from pydantic import (
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_validator,
    model_serializer,
)
from pydantic_core import InitErrorDetails, PydanticCustomError
from pydantic_core.core_schema import ValidationInfo

from sentei.recipe.architectures import ArchitectureName, check_kwargs
from sentei.recipe.arguments import Arguments
from sentei.recipe.claims import Claim, Claims, Procedure, Robustness, one_delta
from sentei.recipe.data import Data, Factory
from sentei.recipe.distributed import Distributed
from sentei.recipe.family import Family
from sentei.recipe.numbers import Count, Rate, Share, Unit, Weight
from sentei.recipe.platform import Platform
from sentei.recipe.recertify import Recertify
from sentei.recipe.section import Section
from sentei.recipe.signing import Signing

_REGISTERED = r"^[\w. -]{0,200}$"
_S3_SEGMENT = r"/(?!\.{1,2}(?:/|$))[^/\x00-\x1f\x7f]+"
_PLACE = (
    rf"^(?:(?!.*://)[^\x00-\x1f\x7f]+|s3://[a-z0-9](?![^/]*\.\.)[a-z0-9.-]{{1,61}}[a-z0-9](?:/|(?:{_S3_SEGMENT})+/?))$"
)


def _place(text: str) -> str:
    if not re.fullmatch(_PLACE, text):
        expected = "expected a folder, or s3://bucket/prefix with a bucket of 3 to 63 of a-z, 0-9, '.' and '-'"
        raise PydanticCustomError("place", expected)
    return text


class Model(Section):
    """The dense model's architecture, and where its weights come from."""

    architecture: ArchitectureName | None = Field(None, description="a known architecture")
    factory: Factory | None = Field(
        None, description="my_package.nets:build, from a module that SENTEI_FACTORIES allows"
    )
    kwargs: Arguments = Field(default_factory=dict, description="arguments of the architecture or factory")
    pretrained: str | None = Field(
        None, description="a checkpoint (.safetensors, .pt), a folder, s3:// or models:/name@alias; replaces training"
    )
    pretrained_is_independent: bool = Field(
        False, description="you vouch: these weights never saw a row that may become selection, calibration or test"
    )

    @field_validator("pretrained_is_independent")
    @classmethod
    def _vouched_for(cls, independent: bool, info: ValidationInfo) -> bool:
        if info.data.get("pretrained") and not independent:
            text = "expected true beside pretrained: only you know that these weights never saw a row that may become "
            raise PydanticCustomError(
                "independent", text + "selection, calibration or test; if they did, no proof holds"
            )
        return independent

    @field_validator("factory")
    @classmethod
    def _one_of_two(cls, factory: str | None, info: ValidationInfo) -> str | None:
        if "architecture" in info.data and (factory is None) == (info.data["architecture"] is None):
            raise PydanticCustomError("model", "expected exactly one of architecture and factory")
        return factory

    @field_validator("kwargs")
    @classmethod
    def _as_the_architecture_takes_them(cls, kwargs: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        if info.data.get("architecture"):
            check_kwargs(info.data["architecture"], kwargs)
        return kwargs

    model_config = ConfigDict(validate_default=True)


class Training(Section):
    """How weights are fitted; used by train, and by finetune with its own defaults."""

    epochs: Annotated[int, Field(ge=0)] = 10
    batch_size: Count = 128
    optimizer: Literal["sgd", "adamw"] = "sgd"
    learning_rate: Rate = "0.05"
    momentum: Share = "0.9"
    weight_decay: Weight = "0.0005"
    warmup_epochs: Annotated[int, Field(ge=0)] = 1
    label_smoothing: Share = "0"
    holdout: Annotated[int, Field(ge=0)] = Field(0, description="rows carved out of train for early stopping")
    patience: Annotated[int, Field(ge=0)] = Field(0, description="epochs without progress before stopping; 0 = never")
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    augment: Literal["none", "flip", "crop-flip"] = "none"
    penalty: Literal["none", "group-lasso", "bn-l1", "biased-decay"] = Field(
        "none", description="joins the loss to prepare for pruning: of filters, of scales of BatchNorm, of weights"
    )
    penalty_strength: Weight = Field("0", description="factor of the penalty", validate_default=True)
    distributed: Distributed | None = Field(None, description="several processes share every batch")

    @field_validator("penalty_strength")
    @classmethod
    def _beside_a_penalty(cls, strength: str, info: ValidationInfo) -> str:
        if "penalty" in info.data and (info.data["penalty"] == "none") != (strength == "0"):
            raise PydanticCustomError("penalty", "expected more than 0 beside a penalty, and 0 without one")
        return strength

    @model_serializer(mode="wrap")
    def _without_what_is_not_used(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """What a recipe does not use stands in no plan, so that older plans keep their digests."""
        written: dict[str, Any] = write(self)
        unused = ["penalty", "penalty_strength"] if self.penalty == "none" else []
        unused += [] if self.distributed and self.distributed.n_processes > 1 else ["distributed"]
        return {name: value for name, value in written.items() if name not in unused}

    @field_validator("distributed")
    @classmethod
    def _a_row_for_each(cls, distributed: Distributed | None, info: ValidationInfo) -> Distributed | None:
        n_processes = distributed.n_processes if distributed else 1
        if n_processes > info.data.get("batch_size", n_processes):
            text = "expected a batch_size of {n} or more: each of the {n} processes takes its part of every batch"
            raise PydanticCustomError("distributed", text, {"n": n_processes})
        return distributed

    @field_validator("patience")
    @classmethod
    def _needs_holdout(cls, patience: int, info: ValidationInfo) -> int:
        if patience and not info.data.get("holdout", 1):
            raise PydanticCustomError("patience", "expected holdout rows as well: early stopping watches them")
        return patience


class Finetuning(Training):
    """How a pruned variant recovers; its epochs are chosen per variant in the family."""

    epochs: Literal[0] = Field(0, description="chosen per variant, as finetune in the family")
    learning_rate: Rate = "0.01"
    warmup_epochs: Annotated[int, Field(ge=0)] = 0
    distil: Unit = Field("1", description="weight of the distillation from the dense model; 0 = labels only")
    temperature: Rate = "4"


class Release(Section):
    """Where the released bundle goes."""

    to: str = Field("released", description="a folder, or s3://bucket/prefix", json_schema_extra={"pattern": _PLACE})

    @field_validator("to")
    @classmethod
    def _a_place(cls, to: str) -> str:
        return _place(to)


class Ledger(Section):
    """Where attempts on the same calibration rows are counted, so that all of them together keep their promise."""

    at: str = Field(
        "ledger",
        description="a folder, s3://bucket/prefix, or none: then nothing is promised about several runs together",
        json_schema_extra={"pattern": _PLACE},
    )

    @field_validator("at")
    @classmethod
    def _a_place(cls, at: str) -> str:
        return _place(at)


class Registry(Section):
    """How the winner enters the MLflow model registry."""

    model: Annotated[str, Field(pattern=_REGISTERED)] = Field(
        "", description="registered model, of letters, digits, spaces, '_', '.', '-'; empty = sentei-<recipe name>"
    )
    promote: Literal["cheaper", "certified", "never"] = Field("cheaper", description="when the alias champion moves")


class Recipe(Section):
    """Everything that one run needs to know."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,40}$")] = Field(
        description="names the run and the experiment"
    )
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    data: Data
    model: Model
    train: Training = Field(default_factory=Training)
    importance: Literal["weights", "everything"] = Field("weights", description="prunable parameters")
    family: Family
    finetune: Finetuning = Field(default_factory=Finetuning)
    claim: Claims = Field(description="what must be proven; several claims have to hold together")
    ledger: Ledger = Field(default_factory=Ledger)
    compare: list[Claim] = Field(
        default_factory=list, description="further claims to print beside the one that promotes; with ledger.at none"
    )
    robustness: Robustness | None = Field(None, description="attacks on the selection rows that every variant meets")
    procedure: Procedure = Field(default_factory=Procedure)
    release: Release = Field(default_factory=Release)
    registry: Registry = Field(default_factory=Registry)
    signing: Signing = Field(default_factory=Signing)
    platform: Platform = Field(default_factory=Platform, description="used by compile, submit and schedule alone")
    recertify: Recertify = Field(default_factory=Recertify)

    @field_validator("train")
    @classmethod
    def _trained_or_brought(cls, train: Training, info: ValidationInfo) -> Training:
        if train.epochs == 0 and "model" in info.data and not info.data["model"].pretrained:
            text = "expected 1 or more; 0 needs weights to begin with, in model.pretrained"
            mistake = InitErrorDetails(type=PydanticCustomError("epochs", text), loc=("epochs",), input=train.epochs)
            raise ValidationError.from_exception_data("Training", [mistake])
        return train

    @field_validator("claim")
    @classmethod
    def _at_one_delta(cls, claims: list[Claim]) -> list[Claim]:
        return one_delta(claims)

    @field_validator("compare")
    @classmethod
    def _uncounted(cls, compare: list[Claim], info: ValidationInfo) -> list[Claim]:
        if compare and "ledger" in info.data and info.data["ledger"].at != "none":
            text = "expected nothing here beside a ledger, which pays for one answer of the calibration rows; "
            raise PydanticCustomError("compare", text + "set ledger.at to none to see claims side by side")
        return compare

    @property
    def registered_model(self) -> str:
        """Name of the registered model."""
        return self.registry.model or f"sentei-{self.name}"


def json_schema() -> dict[str, Any]:
    """The recipe's JSON schema (draft 2020-12), for editors."""
    schema = Recipe.model_json_schema()
    claim, one = schema["properties"]["claim"], {"$ref": "#/$defs/Claim"}
    several = {key: claim.pop(key) for key in ("items", "minItems", "type")}
    claim["anyOf"] = [one, several]  # a claim that stands alone needs no list around it
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
