"""Files of production rows -> what the variant and the dense model answered, and what was right where that is known."""

from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sentei.certificate.canonical import sha256_hex
from sentei.data.labels import UNLABELLED
from sentei.errors import ArtifactError, DataError, RecipeError
from sentei.evaluation.outcomes import predictions
from sentei.evaluation.served import ServedModel
from sentei.sources.npz import read_npz
from sentei.steps.monitor.columns import read_columns

ENDINGS = (".csv", ".npz")
NOTHING = -1  # what a network answers that names no class: NaN, or a tie at the top
BATCH = 512

Classes = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Rows:
    """What was answered on some rows, in their order.

    Attributes:
        name: Of the file.
        variant: The class that the variant named, shape (n,); -1 where it named none.
        dense: The same of the dense model; None where it was not asked.
        label: The right class, shape (n,); -1 where nobody has said it.
        told_apart: Whether the file holds more of a row than the answers, such as its input or its time; if not, two
            files of other rows may be equal byte for byte.
    """

    name: str
    variant: Classes
    dense: Classes | None
    label: Classes
    told_apart: bool = True

    def __len__(self) -> int:
        return len(self.variant)

    @property
    def labelled(self) -> npt.NDArray[np.bool_]:
        """True for every row whose right class is known, shape (n,)."""
        found: npt.NDArray[np.bool_] = self.label != UNLABELLED
        return found


@dataclass(frozen=True)
class Networks:
    """The two networks as they are served, to be asked where a file holds inputs.

    Attributes:
        variant: The certified network's file.
        dense: The dense model's file; None if it is not at hand.
    """

    variant: Path
    dense: Path | None = None

    @classmethod
    def of(cls, variant: Path, dense: Path | None, dense_sha256: str) -> "Networks":
        """The two, after the dense model was found to be the one that the certificate compares with.

        Args:
            variant: The certified network's file.
            dense: A file ``model.onnx``, or a folder that holds one.
            dense_sha256: What the certificate says of the dense model's file.

        Raises:
            RecipeError: There is no such file.
            ArtifactError: It is another network.
        """
        if dense is None:
            return cls(variant)
        file = dense / variant.name if dense.is_dir() else dense
        if not file.is_file():
            raise RecipeError(f"--dense {dense}: expected the dense model's {variant.name}, found none; correct it")
        if (received := sha256_hex(file.read_bytes())) != dense_sha256:
            raise ArtifactError(
                f"{file}: expected the dense model that the certificate names, with SHA-256 {dense_sha256[:12]}, "
                f"received {received[:12]}; name the file that was served when the certificate was issued"
            )
        return cls(variant, file)


def read_rows(path: Path, name: str, networks: Networks) -> Rows:
    """The answers that a file holds, or that the networks give to the inputs that it holds.

    Args:
        path: ``.csv`` with a header and the columns ``variant``, ``dense`` (unless only errors are watched) and
            ``label`` (if known; empty or -1 where it is not); other columns are passed over, and -1 stands for no
            answer. Or ``.npz`` with inputs ``x`` and, if known, labels ``y`` (-1 where they are not).
        name: What messages call it.
        networks: Asked about an ``.npz``.

    Raises:
        DataError: The file cannot be read, or holds something else.
        ModelError: A network does not take such inputs.
    """
    if path.suffix == ".csv":
        return _read_csv(path, name)
    if path.suffix == ".npz":
        return _ask(path, name, networks)
    raise DataError(f"{name}: expected a file that ends with {' or '.join(ENDINGS)}")


def _ask(path: Path, name: str, networks: Networks) -> Rows:
    table = read_npz(path)
    answers = [_answers(file, table.inputs, name) if file else None for file in (networks.variant, networks.dense)]
    assert answers[0] is not None  # there always is a variant
    return Rows(name, answers[0], answers[1], table.labels.astype(np.int64))


def _answers(network: Path, inputs: npt.NDArray[Any], name: str) -> Classes:
    served = ServedModel(network)
    found = np.concatenate(
        [predictions(served.logits(inputs[at : at + BATCH], BATCH)) for at in range(0, len(inputs), BATCH)]
    )
    if found.ndim != 1:
        raise DataError(f"{name}: expected a network that names one class for a row; only such are watched")
    return found.astype(np.int64)


def _read_csv(path: Path, name: str) -> Rows:
    columns, told_apart = read_columns(path, name)
    codes: dict[str, int] = {str(NOTHING): NOTHING, "": UNLABELLED}  # an empty text is let through in labels only
    fresh = count()
    found = {
        column: np.array([codes[text] if text in codes else codes.setdefault(text, next(fresh)) for text in texts], int)
        for column, texts in columns.items()
    }
    label = found.get("label", np.full(len(found["variant"]), UNLABELLED))
    return Rows(name, found["variant"], found.get("dense"), label, told_apart)
