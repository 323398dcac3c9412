"""The search finds what enumeration finds, and keeps within budgets that it can only measure."""

import itertools

import numpy as np
import pytest
import torch

from sentei.errors import ModelError
from sentei.sparsity import Budget, Curves, search
from sentei.sparsity.counting import macs_by_counts, parameters_by_counts
from sentei.sparsity.knapsack import approach
from sentei.sparsity.problem import Problem
from tests.structures import branches, chain, residual


def scores_of(structure):
    return {group.name: torch.arange(float(group.n_units)) for group in structure.groups}


def counts_of(keep):
    return {name: int(mask.sum()) for name, mask in keep.items()}


CHAIN = chain([3, 4, 4, 2])
STEEP = Curves(0.0, {"fc0": {1: 9.0, 2: 6.0, 3: 3.0}, "fc1": {1: 0.3, 2: 0.2, 3: 0.1}})


def test_the_group_that_hurts_less_pays():
    """36 MACs dense; 23 allow widths (4, 1): 12 + 4 + 2 = 18, with a damage of 0.3; every other choice does more."""
    assert counts_of(search(CHAIN, scores_of(CHAIN), STEEP, Budget("macs", 23, False), CHAIN.macs)) == {
        "fc0": 4,
        "fc1": 1,
    }


def test_excepted_groups_need_no_curves_and_stay():
    curves = Curves(0.0, {"fc0": STEEP.damage["fc0"]})
    keep = search(CHAIN, scores_of(CHAIN), curves, Budget("macs", 23, False), CHAIN.macs, exceptions={"fc1": "keep"})

    assert counts_of(keep) == {"fc0": 2, "fc1": 4}
    assert keep["fc0"].tolist() == [False, False, True, True]


def test_parameters_are_budgeted_with_their_biases():
    """Widths (a, b) hold 4a + (a + 1)b + 2b + 2 parameters: 23 at (4, 1)."""
    keep = search(CHAIN, scores_of(CHAIN), STEEP, Budget("parameters", 29, False), CHAIN.n_parameters)

    assert counts_of(keep) == {"fc0": 4, "fc1": 1}
    assert CHAIN.n_parameters(keep) == 25


def test_unreachable_budgets_and_missing_probes_are_refused():
    with pytest.raises(ModelError, match="costs 6 macs"):
        search(CHAIN, scores_of(CHAIN), STEEP, Budget("macs", 5, False), CHAIN.macs)
    with pytest.raises(ValueError, match="n_probes=0"):
        search(CHAIN, scores_of(CHAIN), STEEP, Budget("macs", 23, False), CHAIN.macs, n_probes=0)


@pytest.mark.parametrize(("n_probes", "budget"), [(1, 0.5), (2, 0.4), (9, 0.7), (30, 0.3)])
def test_the_least_measured_damage_wins_within_the_probes(n_probes, budget):
    """The probe knows that the groups hurt one another, which the curves do not."""
    net, measured = chain([3, 9, 9, 2]), {}
    curves = Curves(0.0, {name: {n: 0.1 * (9 - n) for n in range(1, 9)} for name in ("fc0", "fc1")})

    def probe(keep):
        n0, n1 = counts_of(keep).values()
        damage = 0.1 * (18 - n0 - n1) + 0.05 * (9 - n0) * (9 - n1) + 0.3 * (9 - n0)
        assert (n0, n1) not in measured
        measured[n0, n1] = damage
        return damage

    keep = search(net, scores_of(net), curves, Budget("macs", budget, True), net.macs, probe, n_probes)

    assert len(measured) <= n_probes
    assert measured[tuple(counts_of(keep).values())] == min(measured.values())
    assert net.macs(keep) <= budget * net.macs({})


def test_many_probes_find_what_the_curves_do_not_say():
    net, found = chain([3, 9, 9, 2]), {}
    curves = Curves(0.0, {name: {n: 0.1 * (9 - n) for n in range(1, 9)} for name in ("fc0", "fc1")})
    for n_probes in (1, 40):
        keep = search(
            net, scores_of(net), curves, Budget("macs", 0.5, True), net.macs, lambda k: -k["fc1"].sum(), n_probes
        )
        found[n_probes] = counts_of(keep)["fc1"]

    assert found[40] == 9 > found[1]


def test_a_measured_latency_is_kept():
    """A clock that charges for pairs of units in a way that no count of MACs knows."""
    net, asked = residual(), []
    curves = Curves(0.0, {g.name: {1: 1.0, g.n_units // 2: 0.3} for g in net.groups})

    def clock(keep):
        asked.append(1.0 + sum(np.ceil((keep[g.name].sum() if keep else g.n_units) / 2) for g in net.groups))
        return asked[-1]

    keep = search(net, scores_of(net), curves, Budget("latency_ms", 0.7, True), clock, n_evaluations=6)

    assert clock(keep) <= 7.0 == 0.7 * clock({})
    assert len(asked) <= 2 + 6 + 6 + 2 + 4


@pytest.mark.parametrize("structure", [chain([3, 4, 5, 6, 2], 7), branches([3, 4, 2], [5, 1, 9]), residual()])
def test_costs_by_counts_are_those_of_the_structure(structure):
    macs, parameters = macs_by_counts(structure), parameters_by_counts(structure)
    for counts in itertools.islice(itertools.product(*(range(1, g.n_units + 1) for g in structure.groups)), 0, 999, 7):
        keep = {g.name: np.arange(g.n_units) < n for g, n in zip(structure.groups, counts, strict=True)}
        assert macs(np.array(counts)) == structure.macs(keep)
        assert parameters(np.array(counts)) == structure.n_parameters(keep)
        for group, options in enumerate(structure.groups):
            along = macs.along(np.array(counts), group, np.arange(1, options.n_units + 1))
            assert along[counts[group] - 1] == structure.macs(keep)


def test_descents_and_exchanges_come_near_the_best_of_all():
    """60 problems of five groups against all of their choices: 57 within 1 %, none beyond 25 %. Branches are exact."""
    random, gaps = np.random.default_rng(2024), {True: [], False: []}
    for trial in range(60):
        sizes = random.integers(4, 9, 5).tolist()
        in_a_row = trial % 2 == 0
        structure = chain([4, *sizes, 5]) if in_a_row else branches(sizes, random.integers(1, 20, 5).tolist())
        damage = [np.append(np.cumsum(random.exponential(size=n - 1))[::-1], 0.0) for n in sizes]
        cost = macs_by_counts(structure)
        limit = float(random.uniform(0.3, 0.9) * cost(np.array(sizes)))
        problem = Problem([np.arange(1, n + 1) for n in sizes], damage, cost, limit)
        choices = np.array(list(itertools.product(*(range(n) for n in sizes))))
        sums = sum(values[choices[:, group]] for group, values in enumerate(damage))
        best = float(sums[cost(choices + 1) <= limit].min())
        found = approach(problem, [])[0]
        assert problem.cost_of(found) <= limit
        gaps[in_a_row].append(problem.damage_of(found) / best - 1)

    assert max(gaps[False]) <= 1e-9
    assert max(gaps[True]) <= 0.25
    assert sum(gap <= 0.01 for gap in gaps[True]) >= 27
