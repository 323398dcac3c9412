"""Laws of sensitivity curves and of the search, for any damages."""

import itertools
from contextlib import suppress

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sentei.errors import ModelError
from sentei.sparsity import ALLOCATIONS, Budget, Curves, fit_units, measure_curves, search
from sentei.sparsity.damage import damage_at
from tests.structures import branches, chain, residual

DAMAGE = st.floats(0, 10, allow_subnormal=False)


@st.composite
def probed(draw, nets):
    net = draw(nets)
    damage = {}
    for group in net.groups:
        counts = draw(st.sets(st.integers(1, group.n_units - 1), min_size=1, max_size=4))
        damage[group.name] = {n: draw(DAMAGE) for n in sorted(counts)}
    return net, Curves(draw(st.just(0.0)), damage)


SEPARABLE = st.lists(st.tuples(st.integers(2, 6), st.integers(1, 9)), min_size=1, max_size=3).map(
    lambda pairs: branches([n for n, _ in pairs], [price for _, price in pairs])
)
CHAINS = st.lists(st.integers(2, 6), min_size=1, max_size=3).map(lambda sizes: chain([3, *sizes, 2]))
ANY = st.one_of(SEPARABLE, CHAINS, st.just(residual()))


def scores_of(net):
    return {group.name: torch.arange(float(group.n_units)) for group in net.groups}


def predicted(net, curves, keep):
    return sum(float(damage_at(curves, g, [int(keep[g.name].sum())])[0]) for g in net.groups)


def all_choices(net):
    for counts in itertools.product(*(range(1, group.n_units + 1) for group in net.groups)):
        yield {g.name: np.arange(g.n_units) >= g.n_units - n for g, n in zip(net.groups, counts, strict=True)}


@given(probed(ANY), st.floats(0.05, 1))
def test_the_search_finds_the_least_damage_within_the_budget(case, share):
    """Against every combination of counts."""
    net, curves = case
    budget = Budget("macs", share, is_share=True)
    within = [keep for keep in all_choices(net) if net.macs(keep) <= share * net.macs({})]
    if not within:
        with pytest.raises(ModelError, match="costs"):
            search(net, scores_of(net), curves, budget, net.macs)
        return
    found = search(net, scores_of(net), curves, budget, net.macs)

    assert net.macs(found) <= share * net.macs({})
    assert predicted(net, curves, found) <= min(predicted(net, curves, keep) for keep in within) + 1e-9


LARGER = st.lists(st.integers(6, 24), min_size=5, max_size=6).map(lambda sizes: chain([3, *sizes, 2]))


@settings(max_examples=15, deadline=None)
@given(probed(LARGER), st.floats(0.15, 0.95), st.sampled_from([1, 2, 4]))
def test_the_search_is_never_worse_than_any_allocation(case, share, round_to):
    net, curves = case
    budget = Budget("macs", share, is_share=True)
    found = search(net, scores_of(net), curves, budget, net.macs, round_to=round_to)
    again = search(net, scores_of(net), curves, budget, net.macs, round_to=round_to)

    assert net.macs(found) <= share * net.macs({})
    assert all(mask.all() or mask.sum() % round_to == 0 for mask in found.values())
    assert all(np.array_equal(again[name], mask) for name, mask in found.items())
    for allocation in ALLOCATIONS:
        other = fit_units(net, scores_of(net), budget, allocation, net.macs, round_to=round_to)
        assert predicted(net, curves, found) <= predicted(net, curves, other) + 1e-9


class KilledError(Exception):
    pass


@given(ANY, st.integers(0, 30), st.integers(0, 2**32 - 1))
def test_a_killed_measurement_goes_on_as_if_it_had_not_been(net, n_before, seed):
    table = np.random.default_rng(seed).random(64)
    levels, saved, n_probes = (0.7, 0.4, 0.0), [Curves()], 0

    def probe(keep):
        nonlocal n_probes
        n_probes += 1
        return float(table[sum(hash_of(name) + int(mask.sum()) for name, mask in keep.items()) % 64])

    def killing(curves):
        saved.append(Curves.from_json(curves.to_json()))
        if len(saved) > n_before:
            raise KilledError

    whole = measure_curves(net, scores_of(net), probe, levels)
    n_whole, n_probes = n_probes, 0
    with suppress(KilledError):
        measure_curves(net, scores_of(net), probe, levels, on_probe=killing)
    resumed = measure_curves(net, scores_of(net), probe, levels, known=saved[-1])

    assert resumed.to_json() == whole.to_json()
    assert n_probes == n_whole


def hash_of(name: str) -> int:
    return sum(name.encode())


@given(probed(ANY))
def test_curves_survive_json_bit_for_bit(case):
    assert Curves.from_json(case[1].to_json()) == case[1]


@given(probed(ANY))
def test_expected_damage_never_grows_with_the_count(case):
    net, curves = case
    for group in net.groups:
        assert (np.diff(damage_at(curves, group, range(1, group.n_units + 1))) <= 1e-12).all()
