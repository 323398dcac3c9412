"""What the loss of some units does to a network, on scoring rows, without any training."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from torch import nn

from sentei.evaluation.divergence import mean_divergence
from sentei.importance import ScoringRows
from sentei.models import reestimate_batchnorm
from sentei.models.inference import logits
from sentei.models.rows import rows_at_once
from sentei.sparsity.reconstruction import reconstruct_units
from sentei.steps.examples import OpenUri, open_split, preprocessing_of
from sentei.structure import Keep, Structure
from sentei.surgery.removal import remove_places

BATCH = 256
PROBED = 1024
"""Scoring rows that a probe looks at: the damage of a few hundred networks is measured on them."""


def scoring_rows(data: Mapping[str, Any], open_uri: OpenUri | None) -> ScoringRows:
    """The rows of the scoring split, as criteria take them."""
    rows = open_split(data, "scoring", open_uri)
    return ScoringRows(rows.inputs, rows.labels, preprocessing_of(data), rows_at_once(rows.labels, BATCH))


@dataclass(frozen=True)
class Damage:
    """The mean divergence from the dense network once some units are gone and BatchNorm was re-estimated.

    Attributes:
        model: With all of its units; only read.
        structure: Of this network.
        rows: Of the scoring split.
        reconstruct: Whether the layers that read the units are fitted to their old outputs first.
        expected: The dense network's logits for the rows.
    """

    model: nn.Module
    structure: Structure
    rows: ScoringRows
    reconstruct: bool
    expected: np.ndarray

    @classmethod
    def of(cls, model: nn.Module, structure: Structure, rows: ScoringRows, *, reconstruct: bool) -> "Damage":
        """Of a network whose units are all there, on the first rows."""
        first = replace(rows, inputs=rows.inputs[:PROBED], labels=rows.labels[:PROBED])
        return cls(model, structure, first, reconstruct, opinion(model, first))

    def __call__(self, keep: Keep) -> float:
        """In nats for a row; 0 if every unit stays."""
        if all(np.all(mask) for mask in keep.values()):
            return 0.0
        slim = copy.deepcopy(self.model)
        if self.reconstruct:
            reconstruct_units(slim, self.structure, keep, self.rows)
        remove_places(slim, self.structure.kept(keep))
        told = settle_batchnorm(slim, self.rows, self.expected if self.reconstruct else None)
        return _divergence(slim, self.rows, self.expected) if told is None else told


def opinion(model: nn.Module, rows: ScoringRows) -> np.ndarray:
    """The network's logits for the first rows, by which it is compared with what is made of it."""
    return logits(model, rows.inputs[:PROBED], rows.preprocessing, rows.batch_size)


def settle_batchnorm(model: nn.Module, rows: ScoringRows, expected: np.ndarray | None = None) -> float | None:
    """Re-estimates BatchNorm after weights have changed.

    Layers that were fitted to their old outputs fit the old statistics, too; new ones may be worse. Then both are
    tried, and those stay with which the network is nearer to the dense one.

    Args:
        model: Its BatchNorm buffers change in place.
        rows: Of the scoring split.
        expected: The dense network's logits for the first of these rows, if layers were fitted; None otherwise.

    Returns:
        The divergence from the dense network with the statistics that stay, in nats; None where it was not asked for.
    """
    if expected is None:
        reestimate_batchnorm(model, rows.inputs, rows.preprocessing, rows.batch_size)
        return None
    old, before = copy.deepcopy(model.state_dict()), _divergence(model, rows, expected)
    reestimate_batchnorm(model, rows.inputs, rows.preprocessing, rows.batch_size)
    after = _divergence(model, rows, expected)
    if before < after:
        model.load_state_dict(old)
    return min(before, after)


def _divergence(model: nn.Module, rows: ScoringRows, expected: np.ndarray) -> float:
    told = logits(model, rows.inputs[: len(expected)], rows.preprocessing, rows.batch_size)
    return mean_divergence(told, expected)
