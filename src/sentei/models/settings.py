"""How a network is trained: every choice that a recipe can make, checked when it is made."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

OPTIMIZERS = ("sgd", "adamw")
PRECISIONS = ("auto", "float32", "bfloat16")
AUGMENTATIONS = ("none", "flip", "crop-flip")
PENALTIES = ("none", "group-lasso", "bn-l1", "biased-decay")


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """One way to train.

    Attributes:
        epochs: Passes over the training rows; 0 or more.
        batch_size: Rows per step over all ranks together; at least 1.
        learning_rate: At the top of the schedule; more than 0.
        optimizer: ``sgd`` (with Nesterov momentum) or ``adamw``.
        momentum: Of sgd, in [0, 1); adamw has its usual betas.
        weight_decay: On weights with two or more dimensions; biases and normalisation stay free. 0 or more.
        warmup_epochs: Linear rise before the cosine; may be a fraction; 0 or more.
        label_smoothing: In [0, 1).
        patience: Epochs without a better held-out result before training stops; 0 never stops early.
        holdout: Rows carved out of the training rows to choose the best epoch; 0 keeps the last epoch.
        distil: Weight of the teacher's term, in [0, 1]; 0 learns from labels alone.
        temperature: Of distillation; more than 0.
        precision: ``auto`` takes bfloat16 for wide convolutions where the processor computes it, else float32.
        augment: ``none``, ``flip`` (left-right), or ``crop-flip`` (shift by an eighth, then flip). Images only.
        penalty: What joins the loss to prepare for pruning: ``none``, ``group-lasso`` (on filters), ``bn-l1`` (on the
            scales of BatchNorm) or ``biased-decay`` (on weights), as `sentei.models.penalties.Penalty` writes them.
        penalty_strength: Its factor; 0 or more, and 0 without a penalty.

    Raises:
        ValueError: A value lies outside its range.

    Example:
        >>> TrainSettings(epochs=2, patience=3)
        Traceback (most recent call last):
        ...
        ValueError: patience 3 needs held-out rows to judge by, holdout is 0; set holdout to some hundred rows
    """

    epochs: int
    batch_size: int = 128
    learning_rate: float = 0.1
    optimizer: str = "sgd"
    momentum: float = 0.9
    weight_decay: float = 0.0005
    warmup_epochs: float = 0.0
    label_smoothing: float = 0.0
    patience: int = 0
    holdout: int = 0
    distil: float = 0.0
    temperature: float = 4.0
    precision: str = "auto"
    augment: str = "none"
    penalty: str = "none"
    penalty_strength: float = 0.0

    def __post_init__(self) -> None:
        self._check("optimizer", self.optimizer in OPTIMIZERS, f"one of {OPTIMIZERS}")
        self._check("precision", self.precision in PRECISIONS, f"one of {PRECISIONS}")
        self._check("augment", self.augment in AUGMENTATIONS, f"one of {AUGMENTATIONS}")
        self._check("penalty", self.penalty in PENALTIES, f"one of {PENALTIES}")
        self._check("batch_size", self.batch_size >= 1, "at least 1")
        for name in ("learning_rate", "temperature"):
            self._check(name, 0 < getattr(self, name) < float("inf"), "more than 0")
        for name in ("epochs", "weight_decay", "warmup_epochs", "patience", "holdout", "penalty_strength"):
            self._check(name, 0 <= getattr(self, name) < float("inf"), "0 or more")
        for name in ("momentum", "label_smoothing"):
            self._check(name, 0 <= getattr(self, name) < 1, "in [0, 1)")
        self._check("distil", 0 <= self.distil <= 1, "in [0, 1]")
        if self.patience and not self.holdout:
            raise ValueError(
                f"patience {self.patience} needs held-out rows to judge by, holdout is 0; "
                "set holdout to some hundred rows"
            )
        if self.penalty_strength and self.penalty == "none":
            raise ValueError(f"penalty_strength {self.penalty_strength} needs a penalty: one of {PENALTIES[1:]}")

    def _check(self, name: str, fits: bool, wanted: str) -> None:
        if not fits:
            raise ValueError(f"{name} is {wanted}, received {getattr(self, name)!r}")

    def to_dict(self) -> dict[str, Any]:
        """The settings as JSON values; those of the penalty are present where there is one, all others always."""
        settings = asdict(self)
        if self.penalty == "none":
            del settings["penalty"], settings["penalty_strength"]
        return settings

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        """The settings that `to_dict` wrote.

        Args:
            record: Values by field name; fields left out take their default.

        Returns:
            Equal settings.

        Raises:
            ValueError: A value lies outside its range.
            TypeError: A field is unknown.
        """
        return cls(**record)
