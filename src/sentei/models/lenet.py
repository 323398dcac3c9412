"""The two networks of LeCun et al. 1998 on which pruning is always shown first."""

from collections import OrderedDict
from collections.abc import Sequence

from torch import nn

from sentei.errors import ModelError
from sentei.models.architecture import Architecture
from sentei.models.mlp import build_mlp

LEAST_SIDE = 8


def build_lenet_300_100(architecture: Architecture) -> nn.Module:
    """LeNet-300-100: two hidden layers of 300 and 100 neurons.

    Args:
        architecture: Any input shape; a row is flattened.

    Returns:
        The network; 266 610 parameters on 28x28 inputs with 10 classes.

    Source:
        LeCun et al., Gradient-based learning applied to document recognition, 1998.
    """
    return build_mlp(architecture, hidden=(300, 100))


def build_lenet_5(
    architecture: Architecture,
    channels: Sequence[int] = (6, 16),
    hidden: Sequence[int] = (120, 84),
    padding: int | None = None,
) -> nn.Module:
    """LeNet-5 with ReLU and max pooling: two 5x5 convolutions, then fully connected layers.

    Args:
        architecture: Images with sides of 8 or more; 32x32 is the original, 28x28 is padded by 2.
        channels: Filters of the two convolutions.
        hidden: Neurons of the hidden fully connected layers.
        padding: Of both convolutions; ``None`` pads only where the image would otherwise become too small.

    Returns:
        The network; 61 706 parameters on 1x28x28 and on 1x32x32 inputs with 10 classes. The form that Han et al.
        compress has ``channels=(20, 50), hidden=(500,), padding=0`` and 431 080 parameters on 28x28.

    Raises:
        ModelError: The input is no image, or too small.

    Source:
        LeCun et al., Gradient-based learning applied to document recognition, 1998.
    """
    sides = _image_sides(architecture)
    first = padding if padding is not None else (0 if min(sides) >= 32 else 2)
    sides = [(side + 2 * first - 4) // 2 for side in sides]
    second = padding if padding is not None else (0 if min(sides) >= 6 else 2)
    sides = [(side + 2 * second - 4) // 2 for side in sides]
    if min(sides) < 1:
        raise ModelError(f"LeNet-5 with padding {padding} leaves nothing of {architecture.input_shape}; raise padding")
    body = _convolutions(architecture.input_shape[0], channels, (first, second))
    head = build_mlp(
        Architecture(name="mlp", input_shape=(channels[1] * sides[0] * sides[1],), n_classes=architecture.n_classes),
        hidden,
    )
    return nn.Sequential(OrderedDict([*body.items(), *head.named_children()]))


def _image_sides(architecture: Architecture) -> list[int]:
    sides = list(architecture.input_shape[1:])
    if not sides or min(sides) < LEAST_SIDE:
        raise ModelError(
            f"lenet-5 takes (channels, height, width) with sides of {LEAST_SIDE} or more (8x8, 28x28, 32x32 all fit), "
            f"received {architecture.input_shape}; enlarge the images or choose mlp"
        )
    return sides


def _convolutions(n_channels: int, channels: Sequence[int], paddings: tuple[int, int]) -> "OrderedDict[str, nn.Module]":
    return OrderedDict(
        conv1=nn.Conv2d(n_channels, channels[0], 5, padding=paddings[0]),
        conv_relu1=nn.ReLU(),
        pool1=nn.MaxPool2d(2),
        conv2=nn.Conv2d(channels[0], channels[1], 5, padding=paddings[1]),
        conv_relu2=nn.ReLU(),
        pool2=nn.MaxPool2d(2),
    )
