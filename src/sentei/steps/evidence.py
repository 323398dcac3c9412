"""The evidence behind a decision as files: losses, costs, rows and digests, enough to recompute every number."""

import json
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from sentei.certificate.evidence import Evidence
from sentei.certificate.record import Dense, Variant
from sentei.errors import ArtifactError
from sentei.steps import layout

SELECTION, CALIBRATION, DENSE = "selection/", "calibration/", "dense"


def write_evidence(draft: layout.Draft, folder: str, evidence: Evidence) -> None:
    """Write evidence below a folder of an artifact."""
    draft.write_json(f"{folder}/family.json", [dict(member) for member in evidence.family])
    draft.write_json(f"{folder}/costs.json", {name: dict(cost) for name, cost in evidence.costs.items()})
    draft.write_json(f"{folder}/networks.json", _networks(evidence))
    _write_arrays(draft, f"{folder}/losses.npz", _named(evidence))
    rows = {"digests": evidence.calibration_row_digests, "labels": evidence.calibration_labels}
    _write_arrays(draft, f"{folder}/rows.npz", rows.items())


def read_evidence(artifact: layout.Artifact, folder: str, served: Mapping[str, Variant]) -> Evidence:
    """The evidence that an artifact holds.

    Args:
        artifact: A verdict or a bundle.
        folder: Where in it the evidence stands.
        served: Digests that were computed from the models themselves; they replace what the evidence notes of them.

    Raises:
        ArtifactError: A file of the evidence cannot be read; it is named.
    """
    losses, rows = (_arrays(artifact.file(f"{folder}/{name}.npz")) for name in ("losses", "rows"))
    networks = _json(artifact.file(f"{folder}/networks.json"))
    try:
        noted = {name: Variant(name, **digests) for name, digests in networks["variants"].items()}
        return Evidence(
            family=_json(artifact.file(f"{folder}/family.json")),
            selection_columns=_of(losses, SELECTION),
            dense_selection=_of_dense(losses, SELECTION),
            costs=_json(artifact.file(f"{folder}/costs.json")),
            calibration_columns=_of(losses, CALIBRATION),
            dense_calibration=_of_dense(losses, CALIBRATION),
            calibration_row_digests=rows["digests"],
            calibration_labels=rows["labels"],
            dense=Dense(**networks["dense"]),
            variants={**noted, **served},
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ArtifactError(f"{artifact.path}/{folder}: the evidence is incomplete ({error})") from error


def _networks(evidence: Evidence) -> dict[str, Any]:
    variants = {
        name: {"digest": variant.digest, "served_sha256": variant.served_sha256}
        for name, variant in evidence.variants.items()
    }
    return {"dense": asdict(evidence.dense), "variants": variants}


def _named(evidence: Evidence) -> Iterator[tuple[str, Any]]:
    """Every column under its name, one variant after the other."""
    for split, dense, variants in (
        (SELECTION, evidence.dense_selection, evidence.selection_columns),
        (CALIBRATION, evidence.dense_calibration, evidence.calibration_columns),
    ):
        yield from ((f"{split}{DENSE}/{column}", values) for column, values in dense.items())
        for name in variants:
            yield from ((f"{split}of/{name}/{column}", values) for column, values in variants[name].items())


def _of_dense(arrays: Mapping[str, Any], split: str) -> dict[str, Any]:
    if f"{split}{DENSE}" in arrays:
        return {"loss": arrays[f"{split}{DENSE}"]}  # as it was written before there was more than one column
    prefix = f"{split}{DENSE}/"
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _of(arrays: Mapping[str, Any], split: str) -> dict[str, dict[str, Any]]:
    prefix = f"{split}of/"
    found: dict[str, dict[str, Any]] = {}
    for name, array in arrays.items():
        if name.startswith(prefix):
            variant, _, column = name.removeprefix(prefix).partition("/")
            found.setdefault(variant, {})[column or "loss"] = array
    return found


def _write_arrays(draft: layout.Draft, name: str, arrays: Iterable[tuple[str, Any]]) -> None:
    """An ``.npz`` file, one array after the other: no more than one is in memory."""
    with zipfile.ZipFile(draft.file(name), "w", zipfile.ZIP_DEFLATED) as archive:
        for key, array in arrays:
            entry = zipfile.ZipInfo(f"{key}.npy")  # with a fixed date, so that equal arrays give equal bytes
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)


def _arrays(path: Path) -> dict[str, Any]:
    try:
        # Opened here, because numpy leaves a file open that turns out to be no archive.
        with path.open("rb") as file:
            arrays = np.load(file, allow_pickle=False)
            return {name: arrays[name] for name in arrays.files}
    except (AttributeError, OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ArtifactError(f"{path}: expected arrays in an .npz file; {error}") from error


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except ValueError as error:
        raise ArtifactError(f"{path}: expected JSON; {error}") from error
