"""NumPy archives, plain and hostile."""

import pickle
import zipfile

import numpy as np
import pytest

from sentei.errors import DataError
from sentei.sources import load

X = np.arange(24, dtype=np.uint8).reshape(2, 3, 2, 2)
Y = np.array([1, 0])


def read(tmp_path, **arrays):
    np.savez(tmp_path / "rows.npz", **arrays)
    return load({"source": "npz", "path": str(tmp_path / "rows.npz")})


@pytest.mark.parametrize(("x", "y"), [("inputs", "labels"), ("x", "y"), ("images", "labels"), ("x_train", "y_train")])
def test_every_pair_of_names_is_read(tmp_path, x, y):
    table = read(tmp_path, **{x: X, y: Y, "something_else": np.zeros(1)})
    assert table.inputs.tobytes() == X.tobytes()
    assert table.labels.tolist() == [1, 0]
    assert not table.is_test.any()


def test_a_test_part_follows_the_main_one(tmp_path):
    table = read(tmp_path, x=X, y=Y, x_test=X[:1] + 1, y_test=Y[:1], class_names=np.array(["cat", "dog", "owl"]))
    assert table.inputs.tobytes() == X.tobytes() + (X[:1] + 1).tobytes()
    assert table.is_test.tolist() == [False, False, True]
    assert table.class_names == ("cat", "dog", "owl")


def test_pictures_without_a_channel_get_one(tmp_path):
    assert read(tmp_path, x=X[:, 0], y=Y).input_shape == (1, 2, 2)


def test_an_archive_may_hold_no_labels(tmp_path):
    table = read(tmp_path, x=X, x_test=X[:1] + 1)
    assert table.labels.tolist() == [-1, -1, -1]
    assert table.is_test.tolist() == [False, False, True]
    assert table.n_classes == 0
    assert read(tmp_path, x=X, class_names=np.array(["cat", "dog", "owl"])).n_classes == 3
    assert load({"source": "npz", "path": str(tmp_path / "rows.npz"), "n_classes": 3}).n_classes == 3


def test_labels_of_pixels_are_masks(tmp_path):
    masks = np.arange(8).reshape(2, 2, 2) % 3
    table = read(tmp_path, x=X, y=masks, x_test=X[:1] + 1, y_test=masks[:1])
    assert (table.task, table.n_classes, table.labels.dtype) == ("segmentation", 3, np.uint8)
    assert table.labels.tolist() == [*masks.tolist(), masks[0].tolist()]
    assert read(tmp_path, x=X[:, 0], y=masks).task == "segmentation"
    for wrong, said in [(masks[:, :1], r"labels \(2, 1, 2\)"), (masks + 0.5, "masks: expected whole numbers")]:
        with pytest.raises(DataError, match=said):
            read(tmp_path, x=X, y=wrong)


def test_floats_become_float32(tmp_path):
    table = read(tmp_path, x=np.array([[0.1], [2.0]]), y=Y)
    assert table.inputs.dtype == np.float32
    assert table.inputs.tolist() == np.array([[0.1], [2.0]], np.float32).tolist()


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"y": Y}, "expected one array named inputs or x or images or x_train, received"),
        ({"x": X, "inputs": X, "y": Y}, r"received \['inputs', 'x'\]"),
        ({"x": X, "y_test": Y}, "expected one array named labels or y"),
        ({"x": X, "y": Y, "x_test": X}, "expected one array named y_test"),
        ({"x": X, "y": Y, "y_test": Y}, "expected one array named x_test"),
        ({"x": X, "y": Y[:1]}, r"received inputs uint8 \(2, 3, 2, 2\) and labels \(1,\)"),
        ({"x": X, "y": Y[:, None]}, r"labels \(2, 1\)"),
        ({"x": X, "y": Y, "x_test": X[:, :1], "y_test": Y}, "the same rows in both parts"),
        ({"x": X, "y": Y, "x_test": X.astype(np.float32), "y_test": Y}, "received inputs float32"),
        ({"x": X, "y": Y + 0.5}, "expected whole numbers, received float64"),
        ({"x": X.astype(np.int64), "y": Y}, "expected uint8 or float32, received int64"),
        ({"x": np.array(5), "y": np.array(1)}, r"received inputs int64 \(\) and labels \(\)"),
        ({"x": np.array([[1.0], [1e300]]), "y": Y}, "NaN or infinity in 1 rows, first in row 1"),
        ({"x": np.zeros((2, 8, 8, 3), np.uint8), "y": Y}, "channels last; transpose it"),
        ({"x": X, "y": Y, "class_names": np.array(["cat"])}, "at least 2 classes"),
    ],
)
def test_arrays_that_do_not_fit_are_told_apart(tmp_path, arrays, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, **arrays)


def test_a_pickled_object_is_never_loaded(tmp_path):
    with pytest.raises(DataError, match=r"rows\.npz: expected a \.npz archive of plain arrays.*allow_pickle"):
        read(tmp_path, x=np.array([{"run": "me"}, None], object), y=Y)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 cut short", b"\x93NUMPY", pickle.dumps([1]), b"text" * 100])
def test_a_file_that_is_no_archive_is_refused(tmp_path, data):
    path = tmp_path / "rows.npz"
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"rows\.npz: expected a \.npz archive"):
        load({"source": "npz", "path": str(path)})


def test_a_single_array_is_no_archive(tmp_path):
    with (tmp_path / "rows.npz").open("wb") as file:
        np.save(file, X)
    with pytest.raises(DataError, match=r"rows\.npz: expected a \.npz archive"):
        load({"source": "npz", "path": str(tmp_path / "rows.npz")})


def test_a_damaged_or_foreign_member_is_refused(tmp_path):
    path = tmp_path / "rows.npz"
    np.savez(path, x=X, y=Y)
    data = bytearray(path.read_bytes())
    data[data.index(X.tobytes())] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match="CRC"):
        load({"source": "npz", "path": str(path)})
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.txt", "no array")
        archive.writestr("x", "no array")
        archive.writestr("y", "no array")
    with pytest.raises(DataError, match=r"received inputs \|S8 \(\) and labels \(\)"):
        load({"source": "npz", "path": str(path)})
