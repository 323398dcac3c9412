"""Rows of the selection split whose label provably cannot change, however they are perturbed within a radius."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from sentei.data import Preprocessing
from sentei.data.table import Inputs
from sentei.errors import ModelError
from sentei.intervals import unchanged_rows
from sentei.models import Architecture, build
from sentei.models.attention import separate_heads
from sentei.steps.datafree_pruning import domain
from sentei.steps.examples import OpenUri, open_split, preprocessing_of
from sentei.surgery import History, widen

LOOKED_AT = 256
"""The first rows of the selection split: bounds take some hundred times as long as an answer."""


def count_unchanged(
    dense: nn.Module,
    state: Mapping[str, torch.Tensor],
    surgery: History,
    architecture: Mapping[str, Any],
    data: Mapping[str, Any],
    radii: list[str],
    open_uri: OpenUri | None,
) -> dict[str, str]:
    """How many rows provably keep the label that the dense model gives them, by the name of a metric.

    Args:
        dense: The dense model; its heads are separated in place.
        state: Weights of the smaller network.
        surgery: How it was cut out of the dense one.
        architecture: Of the dense model, as JSON.
        data: The plan's ``examples`` part.
        radii: Largest changes of a value, as attacks take them; rows as they are (radius 0) are counted, too.
        open_uri: Turns ``s3://`` and the like into a local path.

    Returns:
        ``unchanged.<radius>`` of ``unchanged_looked_at`` rows; nothing where the network calls a function that
        cannot be bounded.

    Guarantee:
        Of `sentei.intervals.unchanged_rows`: for counted rows the smaller network, as a function of real numbers, names
        the dense model's class for every perturbation within the radius. Rows that are not counted may keep it, too.
    """
    preprocessing, rows = preprocessing_of(data), open_split(data, "selection", open_uri).inputs[:LOOKED_AT]
    wide = separate_heads(build(Architecture.from_dict(dict(architecture)), seed=0)).eval()
    wide.load_state_dict(widen(state, surgery))
    read, dense = preprocessing.apply(rows), separate_heads(dense)
    found = {"unchanged_looked_at": str(len(rows))}
    for text in ("0", *radii):
        reach = _reach(preprocessing, float(text), rows)
        low, high = _limits(data, read, reach)
        try:
            same = unchanged_rows(dense, wide, read, reach, low, high)
        except ModelError:
            return {}
        found[f"unchanged.{text}"] = str(int(same.sum()))
    return found


def _reach(preprocessing: Preprocessing, radius: float, rows: Inputs) -> npt.NDArray[np.float64]:
    """The radius of each channel as the network sees it; of bytes whole steps, as attacks take them.

    It is larger by what float32 may round on the way from a raw row to what the network reads, for the row itself and
    for the perturbed one: three operations each.
    """
    raw = math.floor(255 * radius) * preprocessing.scale if rows.dtype == np.uint8 else radius
    mean, std = np.array(preprocessing.mean), np.array(preprocessing.std)
    largest = float(np.abs(rows.astype(np.float64)).max()) * preprocessing.scale + radius
    reach: npt.NDArray[np.float64] = (raw + 8 * 2.0**-24 * (largest + np.abs(mean))) / std
    return reach


def _limits(
    data: Mapping[str, Any], rows: npt.NDArray[np.float32], reach: npt.NDArray[np.float64]
) -> tuple[npt.ArrayLike, npt.ArrayLike]:
    """Bytes have a range; floats have none, so that only the radius bounds them."""
    if data["input"]["dtype"] == "uint8":
        return domain(data)
    axes = (0, *range(2, rows.ndim))
    return rows.min(axes) - reach, rows.max(axes) + reach
