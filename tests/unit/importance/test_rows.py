"""The rows that criteria look at, and what stands for labels that are not there."""

import numpy as np
import pytest
import torch

from sentei.data.preprocessing import Preprocessing
from sentei.importance import ScoringRows
from sentei.importance.rows import targets

PLAIN = Preprocessing(1.0, (0.0,), (1.0,))


@pytest.mark.parametrize(("n_rows", "n_labels", "batch_size"), [(0, 0, 4), (2, 3, 4), (2, 2, 0)])
def test_rows_that_do_not_fit_are_refused(n_rows, n_labels, batch_size):
    with pytest.raises(ValueError, match=f"received {n_rows} inputs, {n_labels} labels and a batch of {batch_size}"):
        ScoringRows(np.zeros((n_rows, 1), np.float32), np.zeros(n_labels, np.int64), PLAIN, batch_size)


def test_batches_hold_every_row_once_and_in_order():
    rows = ScoringRows(np.arange(7, dtype=np.float32)[:, None], np.zeros(7, np.int64), PLAIN, batch_size=3)
    parts = list(rows.batches(torch.device("cpu")))

    assert torch.cat([batch for _, batch in parts]).flatten().tolist() == list(range(7))
    assert [(part.start, part.stop) for part, _ in parts] == [(0, 3), (3, 5), (5, 7)]


def test_the_most_probable_class_stands_for_a_label_that_is_not_there():
    logits = torch.tensor([[1.0, 2.0, 0.0], [5.0, 2.0, 0.0], [1.0, 2.0, 3.0]])
    assert targets(np.array([0, -1, -1]), logits).tolist() == [0, 0, 2]


def test_the_most_probable_classes_of_pixels_stand_for_masks_that_are_not_there():
    logits = torch.tensor([[[[1.0, 0.0]], [[0.0, 1.0]]]])  # one image of two pixels
    assert targets(np.array([-1]), logits).tolist() == [[[0, 1]]]
    assert targets(np.array([[[1, 255]]], np.uint8), logits).tolist() == [[[1, 255]]]
    with pytest.raises(ValueError, match="masks"):
        targets(np.array([1]), logits)
