"""An architecture as data: what has to be known to build a network again, before any weight."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self, get_args

from sentei.errors import ModelError
from sentei.recipe.architectures import NAMES, SEGMENTERS, known_architectures, nearest_architecture

_FIELDS = ("name", "factory", "kwargs", "input_shape", "n_classes")
Task = Literal["classification", "segmentation"]
CLASSIFICATION: Task = "classification"


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """A network before it has weights; it survives JSON unchanged.

    Attributes:
        input_shape: One row without the batch: ``(channels, height, width)`` or ``(n_features,)``.
        n_classes: Logits of a row, or of each of its pixels; at least 2.
        name: One of ``sentei.recipe.architectures.NAMES``; empty when a factory builds the network.
        factory: ``package.module:function`` of the user's own network; empty when a name is given.
        kwargs: JSON values handed to the builder.
        task: ``classification``, or ``segmentation`` if the network says the class of each pixel.

    Raises:
        ModelError: Not exactly one of name and factory, an unknown name, a network for another task, or a shape that no
            row can have.

    Example:
        >>> lenet = Architecture(name="lenet-300-100", input_shape=(1, 28, 28), n_classes=10)
        >>> Architecture.from_dict(lenet.to_dict()) == lenet
        True
    """

    input_shape: tuple[int, ...]
    n_classes: int
    name: str = ""
    factory: str = ""
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    task: Task = CLASSIFICATION

    def __post_init__(self) -> None:
        object.__setattr__(self, "input_shape", tuple(self.input_shape))
        object.__setattr__(self, "kwargs", dict(self.kwargs))
        if bool(self.name) == bool(self.factory):
            raise ModelError(
                f"an architecture has a name or a factory, received name {self.name!r} and factory {self.factory!r}; "
                "give exactly one of them"
            )
        if self.name and self.name not in NAMES:
            close = nearest_architecture(self.name)
            hint = f"did you mean {close!r}? " if close else ""
            raise ModelError(f"no architecture is called {self.name!r}; {hint}Known: {known_architectures()}")
        self._check_task()
        self._check_sizes()

    def _check_task(self) -> None:
        if self.task not in get_args(Task):
            raise ModelError(f"the task of a network is one of {get_args(Task)}, received {self.task!r}")
        suited = tuple(name for name in NAMES if (name in SEGMENTERS) == (self.task == "segmentation"))
        if self.name and self.name not in suited:
            data = "one label for each row" if self.task == CLASSIFICATION else "a mask for each row"
            raise ModelError(
                f"{self.name} does not fit data that have {data}; those that do: {known_architectures(suited)}"
            )

    def _check_sizes(self) -> None:
        if len(self.input_shape) not in (1, 3) or min(self.input_shape) < 1:
            raise ModelError(
                f"input_shape is (channels, height, width) or (n_features,), received {self.input_shape}; "
                "describe one row without the batch"
            )
        if self.n_classes < 2:
            raise ModelError(f"n_classes is at least 2, received {self.n_classes}; a classifier tells classes apart")

    @property
    def n_inputs(self) -> int:
        """Numbers in one row."""
        return math.prod(self.input_shape)

    @property
    def pixels(self) -> tuple[int, ...]:
        """What stands behind the classes in the shape of logits: (height, width) for segmentation, else nothing."""
        return self.input_shape[1:] if self.task == "segmentation" else ()

    def to_dict(self) -> dict[str, Any]:
        """The architecture as JSON values; ``task`` is present where it is segmentation, every other field always."""
        return {
            "name": self.name,
            "factory": self.factory,
            "kwargs": dict(self.kwargs),
            "input_shape": list(self.input_shape),
            "n_classes": self.n_classes,
            **({} if self.task == CLASSIFICATION else {"task": self.task}),
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        """The architecture that `to_dict` wrote.

        Args:
            record: Exactly the fields that `to_dict` writes.

        Returns:
            An equal architecture.

        Raises:
            ModelError: A field is missing or unknown, or its value does not fit.
        """
        if set(record) - {"task"} != set(_FIELDS):
            raise ModelError(f"an architecture has the fields {sorted(_FIELDS)}, received {sorted(record)}")
        return cls(**{**record, "input_shape": tuple(record["input_shape"])})
