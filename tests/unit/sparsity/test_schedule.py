"""Schedules end where they should."""

import pytest

from sentei.sparsity import targets


def test_equal_ratios_by_hand():
    assert targets("iterative", 0.875, 3) == pytest.approx((0.5, 0.75, 0.875))
    assert targets("iterative", "0.875", 3) == ("0.500000", "0.750000", "0.875")


def test_the_cubic_formula_by_hand():
    """0.8 (1 - (3/4)^3), 0.8 (1 - 1/8), 0.8 (1 - 1/64)."""
    assert targets("cubic", 0.8, 4) == pytest.approx((0.4625, 0.7, 0.7875, 0.8))


@pytest.mark.parametrize("final", ["0.9", "0", "0.00000095", 0.9, 0.0, 1 / 3])
@pytest.mark.parametrize("schedule", ["iterative", "cubic"])
@pytest.mark.parametrize("rounds", [1, 2, 7, 100])
def test_targets_grow_to_exactly_the_last(schedule, final, rounds):
    steps = targets(schedule, final, rounds)

    assert len(steps) == rounds
    assert steps[-1] == final
    assert type(steps[0]) is type(final)
    assert list(map(float, steps)) == sorted(map(float, steps))


def test_one_shot_is_one_round():
    assert targets("one-shot", "0.95", 1) == ("0.95",)
    with pytest.raises(ValueError, match="one-shot"):
        targets("one-shot", "0.95", 2)


@pytest.mark.parametrize(
    ("schedule", "final", "rounds"), [("linear", 0.5, 2), ("cubic", 1.0, 2), ("cubic", -0.1, 2), ("cubic", 0.5, 0)]
)
def test_wrong_arguments_are_refused(schedule, final, rounds):
    with pytest.raises(ValueError, match="received"):
        targets(schedule, final, rounds)
