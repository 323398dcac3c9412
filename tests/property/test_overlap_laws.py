"""Laws of overlaps that hold for any mask and any answer."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sentei.evaluation.overlap import overlap_losses

MILLION = 1_000_000
SHAPE = (3, 4, 4)
answers = arrays(np.float32, (3, 3, 4, 4), elements=st.sampled_from([-1.0, 0.0, 0.5, 2.0, float("nan")]))
masks = arrays(np.uint8, SHAPE, elements=st.sampled_from([0, 1, 2, 255]))


@given(answers, masks)
def test_losses_are_millionths_and_iou_is_never_below_dice(logits, mask):
    found = overlap_losses(logits, mask)
    for column in found.values():
        assert ((column >= 0) & (column <= MILLION)).all()
    assert (found["iou"] >= found["dice"]).all()


@given(answers, masks)
def test_dice_and_iou_are_one_number_in_two_forms(logits, mask):
    """1 - dice = 2 (1 - iou) / (2 - iou), up to the rounding of both."""
    found = overlap_losses(logits, mask)
    dice, iou = (1 - found[name] / MILLION for name in ("dice", "iou"))
    np.testing.assert_allclose(dice, 2 * iou / (1 + iou), atol=3e-6)


@given(answers, masks, st.permutations([1, 2]))
def test_the_names_of_the_shapes_do_not_matter(logits, mask, order):
    renamed = np.array([0, *order, *range(3, 256)], np.uint8)[mask]
    moved = logits.copy()
    moved[:, order] = logits[:, [1, 2]]
    one, two = overlap_losses(logits, mask), overlap_losses(moved, renamed)
    assert {name: column.tolist() for name, column in one.items()} == {name: c.tolist() for name, c in two.items()}


@given(answers, masks)
def test_where_pixels_lie_does_not_matter(logits, mask):
    one, two = overlap_losses(logits, mask), overlap_losses(logits[:, :, ::-1], mask[:, ::-1])
    assert {name: column.tolist() for name, column in one.items()} == {name: c.tolist() for name, c in two.items()}


@given(answers, masks, st.integers(0, 15))
def test_making_a_pixel_unclear_never_helps(logits, mask, pixel):
    spoiled = logits.copy()
    spoiled[:, :, pixel // 4, pixel % 4] = np.nan
    one, two = overlap_losses(logits, mask), overlap_losses(spoiled, mask)
    assert all((two[name] >= one[name]).all() for name in one)


@given(answers, masks)
def test_what_is_said_of_pixels_that_do_not_count_does_not_matter(logits, mask):
    changed = np.where((mask == 255)[:, None], np.float32(7), logits)
    one, two = overlap_losses(logits, mask), overlap_losses(changed, mask)
    assert {name: column.tolist() for name, column in one.items()} == {name: c.tolist() for name, c in two.items()}
