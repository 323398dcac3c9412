"""What a served network does on rows that a fixed attack has perturbed against that very network."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sentei.data import Examples
from sentei.evaluation.outcomes import Columns, outcomes
from sentei.evaluation.served import ServedModel
from sentei.risk.claims.robust_drop import robust_column
from sentei.steps import layout
from sentei.steps.examples import preprocessing_of

BATCH = 256


def robust_columns(
    variant: layout.Artifact,
    data: Mapping[str, Any],
    served: ServedModel,
    rows: Examples,
    attacks: Sequence[Mapping[str, str]],
    *,
    nan_is_wrong: bool = False,
    first_row: int = 0,
) -> Columns:
    """One column of losses of 0 and 1 for each attack.

    The perturbation follows the gradients of the network as it was trained; what is judged is the served file.

    Args:
        variant: Folder of the variant, with its weights.
        data: The plan's ``examples`` part.
        served: The variant as it is served.
        rows: Labelled rows.
        attacks: Settings of robust claims: ``attack``, ``radius``, ``steps`` and ``seed``.
        nan_is_wrong: Count a row with a NaN as wrong instead of refusing the model.
        first_row: How many rows of the same split stand before these, a multiple of ``BATCH``.
    """
    from sentei.evaluation.attacks import Attack, perturbed_batches
    from sentei.steps.networks import read_network

    model, preprocessing = read_network(variant), preprocessing_of(data)
    columns: Columns = {}
    for settings in attacks:
        attack = Attack(settings["attack"], float(settings["radius"]), int(settings["steps"]), int(settings["seed"]))
        parts, start = [], 0
        for batch in perturbed_batches(model, preprocessing, rows.inputs, rows.labels, attack, BATCH, first_row):
            labels = rows.labels[start : start + len(batch)]
            at = first_row + start
            seen = outcomes(served, batch, labels, BATCH, nan_is_wrong=nan_is_wrong, first_row=at)
            parts.append(seen["loss"])
            start += len(batch)
        columns[robust_column(settings)] = np.concatenate(parts)
    return columns


def robustness(columns: Columns, attacks: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """How a network stands up to each attack, as decimal texts by the name of a metric.

    Args:
        columns: What it does on some rows: ``loss``, and one column for each attack.
        attacks: Their settings.

    Returns:
        ``robust_accuracy.<attack>.<radius>``: the share of all rows that are right when perturbed;
        ``robustness.<attack>.<radius>``: the share that are still right of those that were right without the attack.
    """
    told = {}
    right = columns["loss"] == 0
    for settings in attacks:
        still, name = columns[robust_column(settings)] == 0, f"{settings['attack']}.{settings['radius']}"
        told[f"robust_accuracy.{name}"] = f"{still.mean():.6f}"
        told[f"robustness.{name}"] = f"{(still & right).sum() / max(1, right.sum()):.6f}"
    return told
