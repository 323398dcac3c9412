"""Columns of what a network does, against loops over its logits."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sentei.data import Preprocessing
from sentei.errors import ModelError
from sentei.evaluation import ServedModel
from sentei.evaluation.export import export_onnx
from sentei.evaluation.outcomes import confidences, of_logits, only, outcomes, predictions

INF, NAN = math.inf, math.nan


class Recorded:
    """A served network whose answers are written down; it counts how many rows it was given at once."""

    def __init__(self, answers):
        self.answers, self.asked = np.asarray(answers, np.float32), []

    def logits(self, inputs, batch_size):
        self.asked.append(len(inputs))
        return self.answers[inputs]


def named(row):
    """The class of the highest logit, by hand; -1 where two are highest or one is no number."""
    if any(math.isnan(value) for value in row) or row.count(max(row)) > 1:
        return -1
    return row.index(max(row))


ROWS = [
    [0.0, 2.0, 1.0],
    [1.0, 1.0, 0.0],
    [0.0, -0.0, -1.0],
    [INF, 1.0, 0.0],
    [INF, INF, 0.0],
    [-INF, -INF, -INF],
    [-INF, 0.0, -INF],
    [1e30, -1e30, 0.0],
    [5.0, 5.0 + 1e-6, 0.0],
]


def test_the_class_is_that_of_the_one_highest_logit():
    found = predictions(np.array(ROWS))
    assert found.dtype == np.int32
    assert found.tolist() == [named(row) for row in ROWS]
    assert predictions(np.array([[NAN, 1.0, 0.0], [1.0, 0.0, NAN], [NAN, NAN, NAN]])).tolist() == [-1, -1, -1]


@given(
    st.lists(st.lists(st.sampled_from([-INF, -1.0, 0.0, 0.5, 0.5, 2.0, INF, NAN]), min_size=3, max_size=3), min_size=1)
)
def test_a_row_is_wrong_exactly_where_the_label_is_not_named(rows):
    labels = np.arange(len(rows)) % 3
    found = of_logits(np.array(rows), labels, nan_is_wrong=True)
    assert found["prediction"].tolist() == [named(row) for row in rows]
    assert found["loss"].dtype == np.uint8
    assert found["loss"].tolist() == [int(named(row) != label) for row, label in zip(rows, labels, strict=True)]
    assert 0 <= found["confidence"].min() <= found["confidence"].max() <= 1_000_000


def test_a_confidence_is_the_largest_probability_rounded_down():
    rows = [
        [0.0, 2.0, 1.0],
        [0.0, 0.0, 0.0],
        [3.0, -1.0, 0.5],
        [1e30, -1e30, 0.0],
        [-INF, 0.0, -INF],
        [700.0, 701.0, 0.0],
    ]
    expected = []
    for row in rows:
        top = max(row)
        expected.append(math.floor(1e6 / sum(math.exp(value - top) for value in row)))
    found = confidences(np.array(rows))
    assert found.dtype == np.int32
    assert found.tolist() == expected
    assert expected[1] == 333_333


def test_a_confidence_follows_single_precision_logits_in_double_precision():
    rows = np.random.default_rng(0).normal(0, 4, (500, 10)).astype(np.float32)
    exact = torch.softmax(torch.from_numpy(rows).double(), dim=1).max(dim=1).values.numpy()
    assert np.abs(confidences(rows) - np.floor(exact * 1e6)).max() <= 1
    assert np.mean(confidences(rows) == np.floor(exact * 1e6)) > 0.99


@pytest.mark.parametrize("row", [[NAN, 1.0, 0.0], [INF, INF, 0.0], [INF, 0.0, 0.0], [-INF, -INF, -INF]])
def test_where_there_is_no_probability_nobody_is_confident(row):
    assert confidences(np.array([row])).tolist() == [0]


def test_rows_without_labels_have_no_losses():
    logits = np.array([[0.0, 1.0], [1.0, 0.0]])
    assert set(of_logits(logits, np.array([-1, -1]))) == {"prediction", "confidence"}
    assert set(of_logits(logits, np.array([1, -1]))) == {"prediction", "confidence"}
    assert set(of_logits(logits, np.array([1, 1]))) == {"prediction", "confidence", "loss"}


@pytest.mark.parametrize("unlabelled", [[0], [9], [4, 5], range(10)])
def test_one_row_without_a_label_takes_the_losses_of_all(unlabelled):
    labels = np.zeros(10, np.int64)
    labels[list(unlabelled)] = -1
    found = outcomes(Recorded(np.eye(10)), np.arange(10), labels, batch_size=3)
    assert set(found) == {"prediction", "confidence"}
    assert found["prediction"].tolist() == list(range(10))


@pytest.mark.parametrize("batch_size", [1, 3, 7, 10, 64])
def test_batches_leave_no_trace(batch_size):
    answers = np.random.default_rng(1).normal(size=(10, 4))
    labels = np.random.default_rng(2).integers(0, 4, 10)
    served = Recorded(answers)
    found, whole = outcomes(served, np.arange(10), labels, batch_size), of_logits(served.answers, labels)
    assert {name: column.tolist() for name, column in found.items()} == {n: c.tolist() for n, c in whole.items()}
    assert {name: column.dtype for name, column in found.items()} == {n: c.dtype for n, c in whole.items()}
    assert served.asked == [min(batch_size, 10 - start) for start in range(0, 10, batch_size)]


def test_large_masks_come_in_small_batches():
    served = Recorded(np.zeros((8, 2, 1024, 1024)))
    outcomes(served, np.arange(8), np.zeros((8, 1024, 1024), np.uint8), batch_size=512)
    assert served.asked == [4, 4]


@pytest.mark.parametrize("batch_size", [2, 5, 64])
def test_a_nan_is_refused_with_its_row_among_all_rows(batch_size):
    answers = np.zeros((9, 3))
    answers[7, 1] = NAN
    with pytest.raises(ModelError, match="row 7 is NaN"):
        outcomes(Recorded(answers), np.arange(9), np.zeros(9, np.int64), batch_size)
    found = outcomes(Recorded(answers), np.arange(9), np.zeros(9, np.int64), batch_size, nan_is_wrong=True)
    assert (found["loss"][7], found["prediction"][7], found["confidence"][7]) == (1, -1, 0)


def test_masks_give_the_columns_of_masks():
    logits = np.zeros((3, 2, 4, 4))
    logits[:, 1, :2] = logits[:, 0, 2:] = 1.0
    masks = np.zeros((3, 4, 4), np.uint8)
    masks[1, :2] = 1
    found = of_logits(logits, masks)
    assert set(found) == {"dice", "iou", "false_negative"}
    assert found["dice"][1] == 0


def test_only_what_there_is_of_the_named_columns_is_kept():
    columns = {"loss": np.zeros(1, np.uint8), "prediction": np.ones(1, np.int32)}
    assert list(only(columns, ("prediction", "dice"))) == ["prediction"]


def test_a_served_network_does_what_its_file_says():
    """The real thing: an exported network on raw bytes, against softmax and argmax of torch."""
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 5)).eval()
    raw = np.random.default_rng(3).integers(0, 256, (50, 1, 4, 4)).astype(np.uint8)
    labels = np.random.default_rng(4).integers(0, 5, 50)
    preprocessing = Preprocessing(0.00392157, (0.5,), (0.25,))
    served = ServedModel(export_onnx(net, preprocessing, (1, 4, 4), "uint8"))
    found = outcomes(served, raw, labels, batch_size=16)
    with torch.no_grad():
        expected = torch.softmax(net(torch.from_numpy((raw * 0.00392157 - 0.5) / 0.25).float()).double(), dim=1)
    assert found["prediction"].tolist() == expected.argmax(dim=1).tolist()
    assert found["loss"].tolist() == (expected.argmax(dim=1).numpy() != labels).astype(int).tolist()
    np.testing.assert_allclose(found["confidence"], 1e6 * expected.max(dim=1).values.numpy(), atol=20)
