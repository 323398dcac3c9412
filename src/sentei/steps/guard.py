"""A look at the selection split while a variant is made: beyond the loss that its recipe allows, it ends."""

from dataclasses import dataclass
from fractions import Fraction
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
    """How many selection rows a network gets right, beside the dense model.

    Attributes:
        inputs: Raw rows of the selection split.
        wanted: ``(n,)`` what each row should be called: its label, or what the dense model calls it.
        preprocessing: From raw rows to what a network takes.
        dense: How many the dense model gets right; all of them where rows have no labels.
        within: The largest part of the rows that may be lost; None allows every loss.
    """

    inputs: Inputs
    wanted: npt.NDArray[np.integer]
    preprocessing: Preprocessing
    dense: int
    within: Fraction | None

    @classmethod
    def of(cls, making: Making) -> Self:
        """Of one variant; about images with masks it says nothing."""
        within = making.spec["depth"].get("within")
        rows, preprocessing = open_split(making.data, "selection", making.open_uri), preprocessing_of(making.data)
        if making.data.get("task") == "segmentation":
            return cls(rows.inputs[:0], np.zeros(0, np.int64), preprocessing, 0, None)
        told = logits(read_network(making.dense), rows.inputs, preprocessing).argmax(1)
        wanted = rows.labels if rows.labelled else told
        return cls(
            rows.inputs, wanted, preprocessing, int((told == wanted).sum()), Fraction(within) if within else None
        )

    def right(self, model: nn.Module) -> int:
        """How many rows a network gets right."""
        if not len(self.wanted):
            return 0
        return int((logits(model, self.inputs, self.preprocessing).argmax(1) == self.wanted).sum())

    def require(self, right: int, where: str) -> None:
        """Nothing, if no more is lost than is allowed.

        Args:
            right: Rows that the network gets right.
            where: How far its making is, for the message.

        Raises:
            ModelError: More is lost.
        """
        n = len(self.wanted)
        if self.within is not None and self.dense - right > self.within * n:
            raise ModelError(
                f"{where}: {right} of {n} selection rows are right, {self.dense} with the dense model; at most "
                f"{float(self.within):g} of all may be lost: ask for fewer, train longer between rounds, or allow more"
            )
