"""What pruning hands on: a smaller network, and everything that says how it came about."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from sentei.importance import ScoringRows
from sentei.steps import layout
from sentei.steps.damage import scoring_rows
from sentei.steps.examples import OpenUri
from sentei.steps.fitting import fit
from sentei.steps.frozen import key_of, seed_for
from sentei.steps.networks import read_network
from sentei.surgery import History


@dataclass(frozen=True)
class Made:
    """A network that was made smaller.

    Attributes:
        model: The network, with zeros under its masks.
        masks: By parameter, True = keep; empty where surgery made it smaller.
        surgery: Empty where masks did.
        counts: What else can be counted, as decimal texts by the name of a metric.
    """

    model: nn.Module
    masks: Mapping[str, Tensor] = field(default_factory=dict)
    surgery: History = field(default_factory=History)
    counts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Making:
    """Everything that one variant is made from.

    Attributes:
        spec: The variant's specification.
        data: The plan's ``examples`` part.
        dense: The artifact with the dense model.
        scored: The artifact with its scores.
        open_uri: Turns ``s3://`` and the like into a local path.
    """

    spec: Mapping[str, Any]
    data: Mapping[str, Any]
    dense: layout.Artifact
    scored: layout.Artifact
    open_uri: OpenUri | None

    def rows(self) -> ScoringRows:
        """Those of the scoring split."""
        return scoring_rows(self.data, self.open_uri)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Of one row, without the batch."""
        return tuple(self.data["input"]["shape"])

    def recover(
        self,
        model: nn.Module,
        number: int | str,
        masks: Mapping[str, Tensor] | None = None,
        further: Callable[[], Tensor] | None = None,
    ) -> None:
        """Train between two rounds, distilled from the dense model; the model changes in place.

        Args:
            model: The network as the last round left it.
            number: Of the round that is done, or another name for this training.
            masks: Weights that stay zero are False.
            further: Asked after each forward pass for what joins the loss.
        """
        fit(
            model,
            self.data,
            self.spec["between"],
            seed_for(self.spec["seed"], f"round/{number}"),
            stage="prune",
            subject=self.spec["name"],
            key=key_of(self.dense.digest, self.scored.digest, self.spec, number),
            open_uri=self.open_uri,
            masks=masks or {},
            teacher=read_network(self.dense),
            further=further,
        )


Maker = Callable[[Making, nn.Module], Made]
"""Makes one kind of variant of the dense model, which may change in place.

Raises:
    ModelError: It cannot be made.
"""
