"""What must be proven about a variant before it is promoted, and how the chance of being wrong is shared."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError
from pydantic_core.core_schema import ValidationInfo

from sentei.recipe.numbers import Count, Probability, Rate, Share, Unit
from sentei.recipe.section import Section

TAKES: Mapping[str, tuple[str, ...]] = {
    "accuracy_drop": ("epsilon", "method"),
    "risk": ("alpha", "loss", "method"),
    "disagreement": ("alpha",),
    "loss_drop": ("epsilon", "loss"),
    "selective_risk": ("alpha", "coverage"),
    "worst_class_drop": ("epsilon", "method"),
    "robust_accuracy_drop": ("epsilon", "method", "attack"),
}
"""What each kind of claim takes beside delta."""
NEEDS = {
    "accuracy_drop": ("epsilon",),
    "risk": ("alpha",),
    "disagreement": ("alpha",),
    "loss_drop": ("epsilon", "loss"),
    "selective_risk": ("alpha", "coverage"),
    "worst_class_drop": ("epsilon",),
    "robust_accuracy_drop": ("epsilon", "attack"),
}
"""What must be written for it."""
METHODS = {
    "accuracy_drop": ("auto", "paired", "clipped"),
    "robust_accuracy_drop": ("auto", "paired", "clipped"),
    "worst_class_drop": ("paired", "clipped"),
    "risk": ("auto", "betting", "hoeffding-bentkus", "binomial"),
}


class Attack(Section):
    """The perturbation under which a robust claim looks at each row: fixed, with a fixed seed."""

    name: Literal["fgsm", "pgd"] = Field("pgd", description="one step, or projected steps from a random start")
    radius: Rate = Field(description="largest change of a value: of images as a share of 255, of floats in their units")
    steps: Count = Field(20, description="of pgd")
    seed: Annotated[int, Field(ge=0)] = 0


class Robustness(Section):
    """Perturbations of the selection rows under which every variant is looked at, beside what claims ask for."""

    radii: Annotated[list[Rate], Field(min_length=1)] = Field(
        description="largest changes of a value, each for fgsm and for pgd: of images as a share of 255"
    )
    steps: Count = Field(20, description="of pgd")
    seed: Annotated[int, Field(ge=0)] = 0

    def attacks(self) -> list[dict[str, str]]:
        """Settings of each perturbation, as texts."""
        common = {"steps": str(self.steps), "seed": str(self.seed)}
        return [{"attack": name, "radius": radius, **common} for name in ("fgsm", "pgd") for radius in self.radii]


class Claim(Section):
    """What must be proven about a variant before it is promoted."""

    kind: Literal[
        "accuracy_drop",
        "risk",
        "disagreement",
        "loss_drop",
        "selective_risk",
        "worst_class_drop",
        "robust_accuracy_drop",
    ] = Field("accuracy_drop", description="what is bounded")
    epsilon: Share | None = Field(
        None, description="largest drop against the dense model: of accuracy, or rise of the mean loss (loss_drop)"
    )
    alpha: Probability | None = Field(
        None, description="largest risk, rate of disagreement, or risk of accepted rows (selective_risk)"
    )
    delta: Probability = Field("0.05", description="largest probability of a false claim")
    gamma: Probability = Field(
        "0.002", description="part of delta spent on the unknown rate of disagreement (drops of accuracy)"
    )
    loss: Literal["zero_one", "dice", "iou", "false_negative"] | None = Field(
        None, description="which loss: of masks 1 - Dice, 1 - IoU or the false-negative rate, per image"
    )
    coverage: Unit | None = Field(
        None, description="share of the selection rows that the dense model is confident of (selective_risk)"
    )
    method: Literal["auto", "paired", "clipped", "betting", "hoeffding-bentkus", "binomial"] | None = Field(
        None, description="the test; 'auto' lets the selection split decide"
    )
    attack: Attack | None = Field(None, description="the perturbation (robust_accuracy_drop)")

    @field_validator("epsilon", "alpha", "loss", "coverage", "attack")
    @classmethod
    def _as_its_kind_takes_it(cls, value: Any, info: ValidationInfo) -> Any:
        kind, name = info.data.get("kind", ""), str(info.field_name)
        if kind in TAKES:
            wanted = value is None and name in NEEDS[kind]
            if wanted or (value is not None and name not in TAKES[kind]):
                state = ("a section" if name == "attack" else _WANTED[name]) if wanted else "nothing here"
                text = "expected {state}, because kind is '{kind}'"
                raise PydanticCustomError("tolerance", text, {"state": state, "kind": kind})
        if value == "0" and name == "coverage":
            raise PydanticCustomError("range", "expected a number > 0 and <= 1")
        return value

    @field_validator("loss")
    @classmethod
    def _of_masks(cls, loss: str | None, info: ValidationInfo) -> str | None:
        if loss == "zero_one" and info.data.get("kind") == "loss_drop":
            text = "expected dice, iou or false_negative: the drop of losses of 0 and 1 is accuracy_drop"
            raise PydanticCustomError("loss", text)
        return loss

    @field_validator("method")
    @classmethod
    def _of_its_kind(cls, method: str | None, info: ValidationInfo) -> str | None:
        kind = info.data.get("kind", "")
        known = METHODS.get(kind, ())
        if kind == "risk":
            masks = info.data.get("loss") not in (None, "zero_one")
            known = ("auto", "betting", "hoeffding-bentkus") if masks else ("auto", "binomial")
        if method is not None and kind in TAKES and method not in known:
            said = f"one of {', '.join(known)}" if known else "nothing here"
            text = "expected {said}, because kind is '{kind}'"
            raise PydanticCustomError("method", text, {"said": said, "kind": kind})
        if method == "clipped" and Decimal(info.data.get("epsilon") or "1") == 0:
            raise PydanticCustomError("method", "expected paired: an epsilon of 0 leaves no room for a harmed row")
        return method

    @field_validator("gamma")
    @classmethod
    def _gamma_below_delta(cls, gamma: str, info: ValidationInfo) -> str:
        unused = info.data.get("kind") not in PAIRED or "delta" not in info.data
        if not unused and Decimal(gamma) >= Decimal(info.data["delta"]):
            raise PydanticCustomError("gamma", "expected less than delta ({delta})", {"delta": info.data["delta"]})
        return gamma

    @property
    def tolerance(self) -> str:
        """The epsilon or the alpha, as decimal text."""
        return self.epsilon or self.alpha or "0"

    @property
    def settings(self) -> dict[str, str]:
        """What else was written, as texts."""
        plain = {"loss": self.loss, "coverage": self.coverage, "method": self.method}
        found = {name: text for name, text in plain.items() if text is not None}
        if self.attack is not None:
            attack = self.attack
            found |= {"attack": attack.name, "radius": attack.radius}
            found |= {"steps": str(attack.steps), "seed": str(attack.seed)}
        return found

    @property
    def needs_labels(self) -> bool:
        """Whether its losses compare with labels."""
        return self.kind != "disagreement"

    model_config = ConfigDict(validate_default=True)


PAIRED = ("accuracy_drop", "worst_class_drop", "robust_accuracy_drop")
_WANTED = {"epsilon": "a number", "alpha": "a number", "coverage": "a number", "loss": "dice, iou or false_negative"}


def _as_list(value: Any) -> Any:
    if not isinstance(value, dict | list) or value == []:
        raise PydanticCustomError("claim", "expected a claim, or a list of claims")
    return [value] if isinstance(value, dict) else value


def one_delta(claims: list[Claim]) -> list[Claim]:
    """The claims, once they have one delta.

    Raises:
        PydanticCustomError: They have several.
    """
    deltas = sorted({claim.delta for claim in claims})
    if len(deltas) > 1:
        text = "expected one delta for all claims, because they hold together or not at all; received {deltas}"
        raise PydanticCustomError("delta", text, {"deltas": ", ".join(deltas)})
    return claims


Claims = Annotated[list[Claim], BeforeValidator(_as_list), Field(min_length=1)]
"""One claim, or several that all have to hold."""


class Procedure(Section):
    """In which order variants are tested, how delta is shared, and which of the certified ones wins."""

    order: Literal["pareto", "listed"] = Field(
        "pareto", description="safest first on the Pareto front, or as the family lists"
    )
    cost: Literal["bytes", "macs", "nonzero_macs", "parameters"] = Field(
        "bytes", description="what the winner has least of"
    )
    test: Literal["fixed-sequence", "bonferroni", "holm", "multi-start", "fallback"] = Field(
        "fixed-sequence", description="how the chance of a false claim is shared by the variants"
    )
    starts: Count = Field(1, description="of a multi-start")

    @field_validator("starts")
    @classmethod
    def _of_a_multi_start(cls, starts: int, info: ValidationInfo) -> int:
        if starts > 1 and info.data.get("test", "multi-start") != "multi-start":
            raise PydanticCustomError("starts", "expected 1, because test is '{test}'", {"test": info.data["test"]})
        return starts
