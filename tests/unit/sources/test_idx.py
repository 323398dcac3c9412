"""IDX folders written byte by byte with struct, whole and damaged."""

import gzip
import struct

import numpy as np
import pytest

from sentei.errors import DataError
from sentei.sources import load

IMAGES = bytes(range(24))
FILES = {
    "train-images-idx3-ubyte": struct.pack(">HBBIII", 0, 8, 3, 4, 2, 3) + IMAGES,
    "train-labels-idx1-ubyte": struct.pack(">HBBI", 0, 8, 1, 4) + bytes([2, 0, 1, 2]),
    "t10k-images-idx3-ubyte": struct.pack(">HBBIII", 0, 8, 3, 1, 2, 3) + bytes(6),
    "t10k-labels-idx1-ubyte": struct.pack(">HBBI", 0, 8, 1, 1) + bytes([1]),
}


def folder(tmp_path, changes=None, spell=lambda name: name):
    for name, data in {**FILES, **(changes or {})}.items():
        if data is not None:
            (tmp_path / spell(name)).write_bytes(gzip.compress(data) if spell(name).endswith(".gz") else data)
    return tmp_path


def read(path, **more):
    return load({"source": "idx", "path": str(path), **more})


@pytest.mark.parametrize(
    "spell",
    [
        lambda name: name,
        lambda name: name + ".gz",
        lambda name: name.replace("-idx", ".idx"),
        lambda name: name.replace("-idx", ".idx") + ".gz",
    ],
)
def test_every_spelling_gives_the_bytes_that_were_written(tmp_path, spell):
    table = read(folder(tmp_path, spell=spell))
    assert table.inputs.tobytes() == IMAGES + bytes(6)
    assert table.inputs.shape == (5, 1, 2, 3)
    assert table.labels.tolist() == [2, 0, 1, 2, 1]
    assert table.is_test.tolist() == [False] * 4 + [True]
    assert table.n_classes == 3


def test_a_folder_without_a_test_part_has_no_test_rows(tmp_path):
    table = read(folder(tmp_path, {name: None for name in FILES if name.startswith("t10k")}))
    assert len(table) == 4
    assert not table.is_test.any()


def test_a_limit_keeps_the_first_rows_of_each_part_and_all_classes(tmp_path):
    table = read(folder(tmp_path), limit=2)
    assert table.inputs.tobytes() == IMAGES[:12] + bytes(6)
    assert table.is_test.tolist() == [False, False, True]
    assert table.n_classes == 3


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("train-images-idx3-ubyte", None, "train-images-idx3-ubyte or train-images-idx3-ubyte.gz, found none"),
        ("t10k-labels-idx1-ubyte", None, "t10k-labels-idx1-ubyte"),
        ("train-images-idx3-ubyte", b"", "received an empty file"),
        ("train-images-idx3-ubyte", FILES["train-images-idx3-ubyte"][:10], "expected the header 00000803"),
        (
            "train-images-idx3-ubyte",
            FILES["train-labels-idx1-ubyte"],
            "expected the header 00000803.*received 00000801",
        ),
        ("train-labels-idx1-ubyte", struct.pack(">HBBI", 0, 9, 1, 4) + bytes(4), "received 00000901"),
        ("train-labels-idx1-ubyte", struct.pack(">HBBI", 1, 8, 1, 4) + bytes(4), "received 00010801"),
        ("train-images-idx3-ubyte", FILES["train-images-idx3-ubyte"][:-1], "announces 24 bytes .* it holds 23"),
        ("train-images-idx3-ubyte", FILES["train-images-idx3-ubyte"] + b"x", "it holds more"),
        ("train-images-idx3-ubyte", struct.pack(">HBBIII", 0, 8, 3, *[2**32 - 1] * 3), "damaged|it holds 0"),
        ("t10k-labels-idx1-ubyte", struct.pack(">HBBI", 0, 8, 1, 2) + bytes(2), "as many labels as images"),
        ("t10k-images-idx3-ubyte", struct.pack(">HBBIII", 0, 8, 3, 1, 3, 2) + bytes(6), "the training part's size"),
    ],
)
def test_a_file_that_is_not_what_it_should_be_is_named(tmp_path, name, data, message):
    with pytest.raises(DataError, match=message):
        read(folder(tmp_path, {name: data}))


@pytest.mark.parametrize("cut", [5, 20, -9, -1])
def test_a_truncated_archive_is_refused(tmp_path, cut):
    folder(tmp_path)
    path = tmp_path / "train-labels-idx1-ubyte"
    (tmp_path / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes())[:cut])
    path.unlink()
    with pytest.raises(DataError, match=r"train-labels-idx1-ubyte\.gz: expected a whole IDX file, found a damaged one"):
        read(tmp_path)


def test_an_archive_whose_content_was_altered_is_refused(tmp_path):
    """One flipped bit in the stored checksum of a gzip file."""
    folder(tmp_path)
    path = tmp_path / "train-labels-idx1-ubyte"
    packed = bytearray(gzip.compress(path.read_bytes()))
    packed[-8] ^= 1
    (tmp_path / f"{path.name}.gz").write_bytes(packed)
    path.unlink()
    with pytest.raises(DataError, match="CRC"):
        read(tmp_path)


def test_the_largest_label_is_kept(tmp_path):
    labels = struct.pack(">HBBI", 0, 8, 1, 4) + bytes([255, 0, 1, 2])
    table = read(folder(tmp_path, {"train-labels-idx1-ubyte": labels}))
    assert table.n_classes == 256
    assert np.max(table.labels) == 255
