"""What is foretold of variants, against the counts in the files and the power of the test itself."""

import numpy as np
import pytest

from sentei.risk import Claim, clipped_power
from sentei.risk.power import paired_power
from sentei.steps.prospects import prospects

CLAIM = Claim("accuracy_drop", "0.03", "0.05")


def counts(chain, name):
    with np.load(chain[f"seen/{name}"] / "losses.npz") as ours, np.load(chain["reference"] / "losses.npz") as dense:
        difference = ours["loss"].astype(int) - dense["loss"]
    return int((difference > 0).sum()), int((difference < 0).sum())


def test_the_chance_is_the_power_of_the_better_test_at_the_observed_rates(chain):
    found = prospects(chain.plan, chain.root, [CLAIM])
    assert [one.name for one in found] == [name for name in chain.names if "0.999" not in name]
    for one in found:
        harmed, helped = counts(chain, one.name)
        assert one.estimates == (pytest.approx((harmed - helped) / 300),)
        powers = (
            paired_power(harmed / 300, helped / 300, 600, 0.03, 0.05, 0.002),
            clipped_power(harmed / 300, 600, 0.03, 0.05),
        )
        assert min(abs(one.chance - power) for power in powers) < 1e-9
        assert (one.rows_needed is None) == (harmed - helped >= 9)


def test_several_claims_pass_together_less_often_than_each(chain):
    strict = Claim("worst_class_drop", "0.2", "0.05")
    both, first, second = (prospects(chain.plan, chain.root, claims) for claims in ([CLAIM, strict], [CLAIM], [strict]))
    for one, a, b in zip(both, first, second, strict=True):
        assert one.chance == pytest.approx(max(0.0, a.chance + b.chance - 1))
        assert one.rows_needed is None or one.rows_needed == max(a.rows_needed, b.rows_needed)


def test_without_evaluations_of_this_plan_nothing_is_foretold(chain, tmp_path):
    assert prospects(chain.plan, tmp_path, [CLAIM]) == ()
