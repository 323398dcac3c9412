"""A look at the selection split while a variant is made: beyond the loss that its recipe allows, it ends."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from torch import nn

from sentei.data import Preprocessing
from sentei.data.table import Inputs
from sentei.errors import ModelError
from sentei.models.inference import logits
from sentei.steps.examples import open_split, preprocessing_of
from sentei.steps.made import Making
from sentei.steps.networks import read_network


@dataclass(frozen=True)
class Guard:
    """The share of the selection rows that a network gets right, beside the dense model's.

    Attributes:
        inputs: Raw rows of the selection split.
        wanted: ``(n,)`` what each row should be called: its label, or what the dense model calls it.
        preprocessing: From raw rows to what a network takes.
        dense: The dense model's share; 1 where rows have no labels.
        within: The largest loss of the share that is allowed.
    """

    inputs: Inputs
    wanted: npt.NDArray[np.integer]
    preprocessing: Preprocessing
    dense: float
    within: float

    @classmethod
    def of(cls, making: Making) -> Self | None:
        """Of one variant; None if its recipe allows every loss."""
        if not (within := making.spec["depth"].get("within")):
            return None
        rows, preprocessing = open_split(making.data, "selection", making.open_uri), preprocessing_of(making.data)
        told = logits(read_network(making.dense), rows.inputs, preprocessing).argmax(1)
        wanted = rows.labels if rows.labelled else told
        return cls(rows.inputs, wanted, preprocessing, float((told == wanted).mean()), float(within))

    def require(self, model: nn.Module, where: str) -> None:
        """Nothing, if the network loses no more than is allowed.

        Args:
            model: The network as it is.
            where: How far its making is, for the message.

        Raises:
            ModelError: It loses more.
        """
        share = float((logits(model, self.inputs, self.preprocessing).argmax(1) == self.wanted).mean())
        if self.dense - share > self.within:
            raise ModelError(
                f"{where}: {share:.4f} of the selection rows are right, {self.dense:.4f} of the dense model's; at most "
                f"{self.within:g} may be lost: ask for fewer, train longer between rounds, or allow more"
            )
