"""How the numbers of a row become what a network reads."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from math import floor, isfinite, log10
from typing import Any

import numpy as np
import numpy.typing as npt

from sentei.certificate.canonical import digest
from sentei.data.moments import byte_moments, float_moments
from sentei.data.table import Examples, Inputs
from sentei.errors import DataError

# 1/255 to six digits: a byte becomes a number in [0, 1].
BYTE_SCALE = 0.00392157
N_DIGITS = 6
# Below this share of the mean, a spread is float32's own rounding: the channel is constant.
CONSTANT_BELOW = 1e-7

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Preprocessing:
    """The affine map (x * scale - mean) / std, per channel, that stands before every network.

    Attributes:
        scale: 1/255 to six digits for bytes, 1 for float32.
        mean: Mean of each channel after scaling, shape (c,); channels are axis 1 of the inputs.
        std: Standard deviation of each channel after scaling, above 0, shape (c,).

    Raises:
        DataError: Mean and std differ in length, a number is not finite, or scale or std is not above 0.
    """

    scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        numbers = (self.scale, *self.mean, *self.std)
        good = all(map(isfinite, numbers)) and min(self.scale, *self.std) > 0 if self.std else False
        if not good or len(self.mean) != len(self.std):
            raise DataError(
                "preprocessing: expected a finite mean and a std above 0 for every channel and a scale above 0, "
                f"received scale {self.scale}, mean {self.mean}, std {self.std}; measure them again on the train split"
            )

    @classmethod
    def of(cls, examples: Examples) -> "Preprocessing":
        """What makes these examples' channels have mean 0 and standard deviation 1.

        Args:
            examples: The train split, and no other, so that nothing is learned from the rest.

        Returns:
            Std to six significant digits and mean to the same decimal place, so that another machine's rounding gives
            the same numbers. A channel that never changes has std 1.

        Example:
            >>> Preprocessing.of(Examples(np.array([[1], [3]], np.float32), np.array([0, 1]), np.arange(2)))
            Preprocessing(scale=1.0, mean=(2.0,), std=(1.0,))
        """
        inputs = examples.inputs
        scale = BYTE_SCALE if inputs.dtype == np.uint8 else 1.0
        means, stds = byte_moments(inputs) if inputs.dtype == np.uint8 else float_moments(inputs)
        rounded = [_rounded(float(m) * scale, float(s) * scale) for m, s in zip(means, stds, strict=True)]
        return cls(scale, tuple(mean for mean, _ in rounded), tuple(std for _, std in rounded))

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> "Preprocessing":
        """The preprocessing whose ``to_dict`` gave these facts.

        Raises:
            DataError: A field is missing or unknown, or a text is not a decimal number.
        """
        if set(facts) != {"scale", "mean", "std"}:
            raise DataError(f"preprocessing: expected scale, mean and std, received {sorted(facts)}")
        mean, std = (tuple(_number(text) for text in facts[key]) for key in ("mean", "std"))
        return cls(_number(facts["scale"]), mean, std)

    def to_dict(self) -> dict[str, Any]:
        """The numbers as decimal strings, fit for canonical JSON.

        Example:
            >>> Preprocessing(1.0, (0.5,), (0.25,)).to_dict()
            {'scale': '1', 'mean': ['0.5'], 'std': ['0.25']}
        """
        return {"scale": _text(self.scale), "mean": [_text(m) for m in self.mean], "std": [_text(s) for s in self.std]}

    @property
    def digest(self) -> str:
        """SHA-256 over the canonical JSON of ``to_dict``."""
        return digest(self.to_dict())

    def constants(self, n_dimensions: int) -> tuple[np.float32, Floats, Floats]:
        """Scale, mean and std in float32; mean and std shaped (1, c, 1, ...) to meet inputs of that many dimensions."""
        shape = (1, -1) + (1,) * (n_dimensions - 2)
        mean, std = (np.array(numbers, np.float32).reshape(shape) for numbers in (self.mean, self.std))
        return np.float32(self.scale), mean, std

    def apply(self, inputs: Inputs) -> Floats:
        """What the network reads: (x * scale - mean) / std, each operation in float32, in this order.

        Args:
            inputs: Shape (n, c, ...); uint8 or float32.

        Returns:
            Float32 of the same shape.

        Raises:
            DataError: The inputs have another number of channels.

        Example:
            >>> Preprocessing(1.0, (2.0,), (0.5,)).apply(np.array([[3.0]], np.float32)).tolist()
            [[2.0]]
        """
        if inputs.ndim < 2 or inputs.shape[1] != len(self.mean):
            raise DataError(
                f"preprocessing: expected inputs (n, {len(self.mean)}, ...), received shape {inputs.shape}; "
                "use the preprocessing that was measured on this data set"
            )
        scale, mean, std = self.constants(inputs.ndim)
        return (inputs.astype(np.float32) * scale - mean) / std


def _rounded(mean: float, std: float) -> tuple[float, float]:
    kept = std if std > CONSTANT_BELOW * abs(mean) else 1.0
    places = N_DIGITS - 1 - floor(log10(kept))
    # Adding 0.0 turns -0.0 into 0.0, which would be another text for the same number.
    return round(mean, places) + 0.0, round(kept, places)


def _text(number: float) -> str:
    text = format(Decimal(repr(number)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _number(text: Any) -> float:
    try:
        return float(Decimal(text)) if isinstance(text, str) else float("nan")
    except InvalidOperation as error:
        raise DataError(f"preprocessing: expected a decimal number, received {text!r}") from error
