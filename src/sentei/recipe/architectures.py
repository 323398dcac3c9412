"""The known architectures, and the arguments that each of them takes."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from sentei.recipe.numbers import Count
from sentei.recipe.section import Section

ArchitectureName = Literal[
    "mlp",
    "lenet-300-100",
    "lenet-5",
    "resnet-20",
    "torchvision/resnet18",
    "torchvision/mobilenet_v2",
    "torchvision/vgg16_bn",
    "unet",
    "torchvision/lraspp_mobilenet_v3_large",
    "torchvision/deeplabv3_mobilenet_v3_large",
]
SEGMENTERS: tuple[ArchitectureName, ...] = (
    "unet",
    "torchvision/lraspp_mobilenet_v3_large",
    "torchvision/deeplabv3_mobilenet_v3_large",
)
"""Those that name the class of each pixel; all others name the class of a row."""
_Two = Annotated[list[Count], Field(min_length=2, max_length=2)]
_Dropout = Annotated[float, Field(ge=0, le=1)]


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


KWARGS: Mapping[str, type[Section]] = {
    "mlp": _Mlp,
    "lenet-300-100": Section,
    "lenet-5": _LeNet5,
    "resnet-20": _ResNet20,
    "torchvision/resnet18": _ResNet18,
    "torchvision/mobilenet_v2": _MobileNetV2,
    "torchvision/vgg16_bn": _Vgg16,
    "unet": _UNet,
    "torchvision/lraspp_mobilenet_v3_large": Section,
    "torchvision/deeplabv3_mobilenet_v3_large": Section,
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
