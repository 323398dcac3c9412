"""Sensitivity curves: probed once, written down, and read as they were."""

import pytest
import torch

from sentei.errors import ModelError
from sentei.sparsity import Curves, measure_curves
from sentei.sparsity.damage import damage_at
from sentei.structure import Group
from tests.structures import chain

NET = chain([3, 4, 8, 2])
SCORES = {"fc0": torch.tensor([3.0, 1.0, 2.0, 4.0]), "fc1": torch.arange(8.0)}


def lost(keep) -> float:
    """The scores of what left."""
    return float(sum(SCORES[name][torch.from_numpy(~mask)].sum() for name, mask in keep.items()))


def test_every_group_is_probed_alone_with_its_highest_scores():
    """Of fc0 the units 1, 2 and 0 leave in this order; of fc1 the first half."""
    assert measure_curves(NET, SCORES, lost, levels=(0.5, 0.25)) == Curves(
        0.0, {"fc0": {1: 6.0, 2: 3.0}, "fc1": {2: 15.0, 4: 6.0}}
    )


def test_levels_follow_the_rounding_and_never_empty_a_group():
    curves = measure_curves(NET, SCORES, lost, levels=(0.0, 0.6, 0.99), round_to=4)

    assert {name: list(levels) for name, levels in curves.damage.items()} == {"fc1": [4]}


def test_known_levels_are_not_probed_again():
    known, probed = measure_curves(NET, SCORES, lost, levels=(0.5,)), []

    def probe(keep):
        probed.append({name: int(mask.sum()) for name, mask in keep.items()})
        return lost(keep)

    assert measure_curves(NET, SCORES, probe, (0.5, 0.25), known) == measure_curves(NET, SCORES, lost, (0.5, 0.25))
    assert probed == [{"fc0": 1}, {"fc1": 2}]


def test_curves_of_another_network_are_refused():
    for foreign in ({"conv": {1: 0.0}}, {"fc0": {5: 0.0}}, {"fc0": {0: 0.0}}):
        with pytest.raises(ValueError, match="do not fit"):
            measure_curves(NET, SCORES, lost, known=Curves(0.0, foreign))


@pytest.mark.parametrize("damage", [float("nan"), float("inf")])
def test_a_probe_that_gives_no_number_is_told_what_to_give(damage):
    with pytest.raises(ModelError, match="large"):
        measure_curves(NET, SCORES, lambda keep: damage if keep else 0.0)


def test_levels_outside_their_range_are_refused():
    with pytest.raises(ValueError, match="levels"):
        measure_curves(NET, SCORES, lost, levels=(1.0,))


@pytest.mark.parametrize(
    "text", ["{}", "[]", "no", '{"dense": 0, "damage": {"a": {"x": 1}}}', '{"dense": 0, "damage": {"a": {"1": NaN}}}']
)
def test_other_texts_hold_no_curves(text):
    with pytest.raises(ValueError, match=r"curves|Expecting|invalid literal"):
        Curves.from_json(text)


def test_curves_never_grow_with_the_count_and_go_on_below():
    """Pooling 0.2 and 0.4 gives 0.3 at both; below 2 the line from 1.1 to 0.3 over two units goes on."""
    curves = Curves(0.0, {"fc1": {2: 1.1, 4: 0.2, 6: 0.4}})

    assert damage_at(curves, NET.group("fc1"), range(1, 9)) == pytest.approx([1.5, 1.1, 0.7, 0.3, 0.3, 0.3, 0.15, 0.0])


@pytest.mark.parametrize("curves", [Curves(), Curves(0.0), Curves(None, {"g": {1: 1.0}}), Curves(0.0, {"g": {4: 0.0}})])
def test_unknown_sensitivities_are_refused(curves):
    with pytest.raises(ValueError, match="measure_curves"):
        damage_at(curves, Group("g", "channels", 4, 1, ()), [1])
