"""What files of production rows say, and which files are refused."""

from hashlib import sha256

import numpy as np
import pytest

from sentei.errors import ArtifactError, DataError, ModelError, RecipeError
from sentei.steps.monitor.rows import Networks, read_rows
from tests.unit.monitor.networks import linear

NOT_ASKED = Networks(variant=None)


def csv(tmp_path, text, name="rows.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_rows(path, name, NOT_ASKED)


def test_columns_are_found_by_name_and_others_passed_over(tmp_path):
    rows = csv(tmp_path, "time,label,dense,variant\n9:00,3,3,3\n9:01,1,1,2\n9:02,0,4,4\n")
    assert len(rows) == 3
    assert (rows.variant == rows.dense).tolist() == [True, False, True]
    assert (rows.variant == rows.label).tolist() == [True, False, False]
    assert rows.labelled.tolist() == [True, True, True]


def test_names_numbers_and_byte_order_marks_are_read(tmp_path):
    text = '\ufeffvariant,dense,label\r\n"cat, big",cat,cat\r\n\r\n7,7,cat\r\n'
    rows = csv(tmp_path, text)
    assert (rows.variant == rows.dense).tolist() == [False, True]
    assert (rows.dense == rows.label).tolist() == [True, False]


def test_a_row_without_a_label_is_unlabelled_and_minus_one_is_no_answer(tmp_path):
    rows = csv(tmp_path, "variant,dense,label\n1,1,\n-1,-1,2\n0,0,-1\n 2 , 2 , 2 \n")
    assert rows.labelled.tolist() == [False, True, False, True]
    assert (rows.variant < 0).tolist() == (rows.dense < 0).tolist() == [False, True, False, False]
    assert rows.variant[3] == rows.dense[3] == rows.label[3]


def test_what_is_not_known_may_be_left_out(tmp_path):
    assert not csv(tmp_path, "variant,dense\n1,1\n").labelled.any()
    assert csv(tmp_path, "variant,label\n1,1\n").dense is None
    assert len(csv(tmp_path, "variant,dense,label\n")) == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a header with the columns variant, dense, label .* received nothing"),
        ("1,1\n2,2\n", "received 1, 1"),
        ("dense,label\n1,1\n", "expected a header"),
        ("variant,variant,dense\n1,1,1\n", "each once"),
        ("variant,dense\n1,1\n1\n", "expected 2 fields in line 3, received 1"),
        ("variant,dense\n1,1\n,1\n", r"rows\.csv: line 3: expected a class in column variant"),
        ("variant,dense\n1,1.0\n", "received '1.0'"),
        ("variant,dense,label\n1,1,01\n", "column label.* received '01'"),
        ("variant,dense\n+1,1\n", r"received '\+1'"),
        ("variant,dense\n-0,0\n", "received '-0'"),
        ("variant,dense\n1e0,1\n", "received '1e0'"),
        ('variant,dense\n"1,1\n', "could not read it"),
        (b"variant,dense\n\xff,1\n", "UTF-8"),
    ],
)
def test_a_text_that_could_mean_two_things_is_refused_with_its_line(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        csv(tmp_path, text)


def test_another_ending_is_refused(tmp_path):
    (tmp_path / "rows.txt").write_text("variant,dense\n")
    with pytest.raises(DataError, match=r"ends with \.csv or \.npz"):
        read_rows(tmp_path / "rows.txt", "rows.txt", NOT_ASKED)


@pytest.fixture
def networks(tmp_path):
    """Two networks from two numbers to three logits, of which one is the other with two classes exchanged."""
    variant = np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5]], np.float32)
    (tmp_path / "variant.onnx").write_bytes(linear(variant))
    (tmp_path / "dense.onnx").write_bytes(linear(variant[:, [1, 0, 2]]))
    return Networks(tmp_path / "variant.onnx", tmp_path / "dense.onnx")


def test_networks_are_asked_about_inputs(tmp_path, networks):
    """Rows (1, 0) and (0, 1) name classes 0 and 1; (1, 1) is a tie at the top, and names none."""
    x = np.array([[1, 0], [0, 1], [1, 1]], np.float32)
    np.savez(tmp_path / "rows.npz", x=np.tile(x, (400, 1)), y=np.tile([0, 1, -1], 400))
    rows = read_rows(tmp_path / "rows.npz", "rows.npz", networks)
    assert rows.variant.tolist() == 400 * [0, 1, -1]
    assert rows.dense.tolist() == 400 * [1, 0, -1]
    assert rows.label.tolist() == 400 * [0, 1, -1]

    np.savez(tmp_path / "bare.npz", x=x)
    rows = read_rows(tmp_path / "bare.npz", "bare.npz", Networks(networks.variant))
    assert (rows.variant.tolist(), rows.dense, rows.labelled.any()) == ([0, 1, -1], None, False)


def test_inputs_of_another_shape_and_files_that_are_no_archive_are_refused(tmp_path, networks):
    np.savez(tmp_path / "rows.npz", x=np.zeros((3, 5), np.float32))
    with pytest.raises(ModelError, match="takes float32 rows"):
        read_rows(tmp_path / "rows.npz", "rows.npz", networks)
    (tmp_path / "rows.npz").write_bytes(b"PK")
    with pytest.raises(DataError, match="npz archive"):
        read_rows(tmp_path / "rows.npz", "rows.npz", networks)


def test_a_network_that_answers_for_every_pixel_is_refused(tmp_path, networks):
    image = Networks(tmp_path / "image.onnx")
    image.variant.write_bytes(linear(np.ones((2, 12), np.float32), shape=[-1, 3, 2, 2]))
    np.savez(tmp_path / "rows.npz", x=np.ones((3, 2), np.float32))
    with pytest.raises(DataError, match="names one class for a row"):
        read_rows(tmp_path / "rows.npz", "rows.npz", image)


def test_the_dense_model_has_to_be_the_certificate_s(tmp_path, networks):
    digest = sha256(networks.dense.read_bytes()).hexdigest()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/variant.onnx").write_bytes(networks.dense.read_bytes())
    for place in (networks.dense, tmp_path / "folder"):
        assert Networks.of(networks.variant, place, digest).dense.read_bytes() == networks.dense.read_bytes()
    assert Networks.of(networks.variant, None, digest).dense is None
    with pytest.raises(ArtifactError, match="expected the dense model that the certificate names"):
        Networks.of(networks.variant, networks.variant, digest)
    with pytest.raises(RecipeError, match="--dense"):
        Networks.of(networks.variant, tmp_path / "none", digest)
