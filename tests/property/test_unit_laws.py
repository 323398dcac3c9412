"""Laws of masks of units and of budgets, for any scores."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sentei.errors import ModelError
from sentei.sparsity import ALLOCATIONS, Budget, fit_units, keep_units
from sentei.sparsity.fitting import distinct_shares
from tests.structures import branches, chain, residual

NETS = st.one_of(
    st.lists(st.integers(2, 12), min_size=1, max_size=4).map(lambda sizes: chain([3, *sizes, 2])),
    st.lists(st.integers(2, 6), min_size=1, max_size=4).map(lambda sizes: branches(sizes, [1] * len(sizes))),
    st.just(residual()),
)
VALUES = st.one_of(st.integers(0, 3).map(float), st.floats(-5, 5, width=32))


@st.composite
def scored(draw):
    net = draw(NETS)
    lists = {g.name: draw(st.lists(VALUES, min_size=g.n_units, max_size=g.n_units)) for g in net.groups}
    return net, {name: torch.tensor(values) for name, values in lists.items()}


SHARES, ROUNDS, HOW = st.floats(0, 1), st.sampled_from([1, 2, 3, 4, 8]), st.sampled_from(ALLOCATIONS)


@given(scored(), SHARES, HOW, ROUNDS)
def test_each_group_keeps_its_highest_in_allowed_numbers(case, share, allocation, round_to):
    net, scores = case
    for group in net.groups:
        mask = keep_units(net, scores, share, allocation, round_to=round_to)[group.name]
        order = np.argsort(scores[group.name].double().numpy(), kind="stable")
        assert mask[order[group.n_units - mask.sum() :]].all()
        assert mask.sum() >= 1
        assert mask.all() or mask.sum() * group.width % round_to == 0


@given(scored(), SHARES, SHARES, HOW, ROUNDS)
def test_masks_of_growing_share_are_nested(case, one, other, allocation, round_to):
    net, scores = case
    looser, tighter = (keep_units(net, scores, share, allocation, round_to=round_to) for share in sorted((one, other)))
    for name in looser:
        assert not (tighter[name] & ~looser[name]).any()


@given(scored(), SHARES)
def test_as_many_leave_as_asked_where_every_group_can_keep_one(case, share):
    net, scores = case
    sizes = [group.n_units for group in net.groups]
    n_leaving = sum(int((~mask).sum()) for mask in keep_units(net, scores, share).values())

    assert n_leaving == min(round(share * sum(sizes)), sum(sizes) - len(sizes))


@given(scored(), SHARES)
def test_uniform_takes_its_share_of_every_group(case, share):
    net, scores = case
    for group in net.groups:
        n_leaving = int((~keep_units(net, scores, share, "uniform")[group.name]).sum())
        assert n_leaving == min(round(share * group.n_units), group.n_units - 1)


@given(scored(), st.floats(0.5, 64))
def test_global_masks_do_not_see_the_scale_of_a_group(case, scale):
    """Powers of two leave every ratio as it is, bit for bit."""
    net, scores = case
    factor = 2.0 ** round(np.log2(scale))
    scaled = {name: values.double() * (factor if i % 2 else 1) for i, (name, values) in enumerate(scores.items())}
    for share in (0.3, 0.6):
        ours = keep_units(net, scores, share)
        assert all(np.array_equal(ours[name], mask) for name, mask in keep_units(net, scaled, share).items())


@given(scored(), HOW, ROUNDS, st.floats(0.01, 1))
def test_the_largest_family_member_within_the_budget_is_found(case, allocation, round_to, share):
    """Against every different member of the family, in order."""
    net, scores = case
    family = [
        keep_units(net, scores, part, allocation, round_to=round_to)
        for part in [*distinct_shares(net, allocation), 1.0]
    ]
    within = [keep for keep in family if net.macs(keep) <= share * net.macs({})]
    budget = Budget("macs", share, is_share=True)
    if not within:
        with pytest.raises(ModelError, match=f"costs {net.macs(family[-1])} macs"):
            fit_units(net, scores, budget, allocation, net.macs, round_to=round_to)
        return
    found = fit_units(net, scores, budget, allocation, net.macs, round_to=round_to)
    assert net.macs(found) <= share * net.macs({})
    assert all(np.array_equal(found[name], mask) for name, mask in within[0].items())


@given(scored(), HOW, SHARES)
def test_the_steps_of_the_family_are_all_there_is(case, allocation, share):
    """Any share gives the masks of one of the distinct shares, and they are no more than units."""
    net, scores = case
    shares = [*distinct_shares(net, allocation), 1.0]
    masks = [keep_units(net, scores, part, allocation) for part in shares]
    wanted = keep_units(net, scores, share, allocation)

    assert len(shares) <= sum(group.n_units for group in net.groups) + 2
    assert any(all(np.array_equal(mask[name], wanted[name]) for name in wanted) for mask in masks)
