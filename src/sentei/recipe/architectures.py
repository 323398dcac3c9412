"""The known architectures, and the arguments that each of them takes."""

from collections.abc import Mapping
from difflib import SequenceMatcher
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import ConfigDict, Field, ValidationError, WrapValidator, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError
from pydantic_core.core_schema import ValidatorFunctionWrapHandler

from sentei.recipe.numbers import Count
from sentei.recipe.section import Section
from sentei.recipe.torchvision_names import TorchvisionClassifier, TorchvisionSegmenter

_Name = Literal["mlp", "lenet-300-100", "lenet-5", "resnet-20", TorchvisionClassifier, "unet", TorchvisionSegmenter]
NAMES: tuple[str, ...] = get_args(_Name)
"""Every known architecture."""
SEGMENTERS: tuple[str, ...] = ("unet", *get_args(TorchvisionSegmenter))
"""Those that name the class of each pixel; all others name the class of a row."""
TORCHVISION = "torchvision/"
"""What stands before the name that a network has in torchvision."""
_Two = Annotated[list[Count], Field(min_length=2, max_length=2)]
_Dropout = Annotated[float, Field(ge=0, le=1)]


def nearest_architecture(name: str) -> str:
    """The known architecture whose name is most like this one, ``torchvision/`` aside; empty if none is.

    Example:
        >>> nearest_architecture("lenet5"), nearest_architecture("resnet50"), nearest_architecture("xyz")
        ('lenet-5', 'torchvision/resnet50', '')
    """
    asked = name.removeprefix(TORCHVISION)
    likeness = {known: SequenceMatcher(None, known.removeprefix(TORCHVISION), asked).ratio() for known in NAMES}
    best = max(NAMES, key=lambda known: (likeness[known], known.startswith(TORCHVISION) == (asked != name)))
    return best if likeness[best] >= 0.5 else ""


def known_architectures(names: tuple[str, ...] = NAMES) -> str:
    """The names in short: each of ours, and torchvision's as a whole.

    Example:
        >>> known_architectures(("mlp", "torchvision/alexnet", "torchvision/vgg11"))
        'mlp, torchvision/NAME (2 networks)'
    """
    ours = [name for name in names if not name.startswith(TORCHVISION)]
    n_theirs = len(names) - len(ours)
    return ", ".join([*ours, f"{TORCHVISION}NAME ({n_theirs} networks)"] if n_theirs else ours)


def _told_in_short(value: Any, check: ValidatorFunctionWrapHandler) -> Any:
    """A known name; a mistake names the nearest instead of all hundred."""
    try:
        return check(value)
    except ValidationError:
        close = nearest_architecture(value) if isinstance(value, str) else ""
        hint = f" (did you mean '{close}'?)" if close else ""
        facts = {"known": known_architectures(), "hint": hint}
        raise PydanticCustomError("architecture", "expected one of {known}{hint}", facts) from None


ArchitectureName = Annotated[_Name, WrapValidator(_told_in_short)]


class _Mlp(Section):
    hidden: list[Count] = Field([128, 128])


class _LeNet5(Section):
    channels: _Two = Field([6, 16])
    hidden: list[Count] = Field([120, 84])
    padding: Annotated[int, Field(ge=0)] | None = None


class _ResNet20(Section):
    shortcut: Literal["pad", "projection"] = "pad"
    width: Count = 16


class _ResNet18(Section):
    zero_init_residual: bool = False


class _MobileNetV2(Section):
    width_mult: Annotated[float, Field(gt=0, le=100)] = 1.0
    round_nearest: Count = 8
    dropout: _Dropout = 0.2


class _Vgg16(Section):
    init_weights: bool = True
    dropout: _Dropout = 0.5


class _UNet(Section):
    width: Count = 8
    depth: Annotated[int, Field(ge=2, le=8)] = 4


OURS: Mapping[str, str] = {
    "weights": "bring weights with model.pretrained",
    "weights_backbone": "bring weights with model.pretrained",
    "progress": "nothing is downloaded",
    "num_classes": "the data say how many classes there are",
    "image_size": "the data say how large an image is",
    "input_size": "the data say how large an image is",
    "aux_logits": "training uses no auxiliary output",
    "aux_loss": "training uses no auxiliary output",
    "transform_input": "the data are normalised before the network sees them",
}
"""Arguments of torchvision that a recipe cannot give, each with the reason."""


class _Torchvision(Section):
    """What torchvision's constructor takes is known to torchvision alone: the network is built before the plan ends."""

    model_config = ConfigDict(extra="allow")

    @model_validator(mode="after")
    def _leaves_ours_alone(self) -> Self:
        mistakes = [
            InitErrorDetails(
                type=PydanticCustomError("argument", "expected no such argument: {reason}", {"reason": OURS[name]}),
                loc=(name,),
                input=value,
            )
            for name, value in (self.model_extra or {}).items()
            if name in OURS
        ]
        if mistakes:
            raise ValidationError.from_exception_data("kwargs", mistakes)
        return self


KWARGS: Mapping[str, type[Section]] = {
    **dict.fromkeys(get_args(TorchvisionClassifier), _Torchvision),
    **dict.fromkeys(get_args(TorchvisionSegmenter), Section),
    "mlp": _Mlp,
    "lenet-300-100": Section,
    "lenet-5": _LeNet5,
    "resnet-20": _ResNet20,
    "torchvision/resnet18": _ResNet18,
    "torchvision/mobilenet_v2": _MobileNetV2,
    "torchvision/vgg16_bn": _Vgg16,
    "unet": _UNet,
}
"""What the builder of each architecture may be told, with the defaults that the builder has."""


def check_kwargs(name: str, kwargs: Mapping[str, Any]) -> None:
    """Nothing, if the architecture takes these arguments.

    Args:
        name: A known architecture.
        kwargs: Its arguments, as the recipe writes them.

    Raises:
        pydantic.ValidationError: An argument is unknown, or its value is not of the kind that the architecture takes.

    Example:
        >>> check_kwargs("mlp", {"hidden": [300, 100]})
    """
    KWARGS[name].model_validate(kwargs)
