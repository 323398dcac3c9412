"""Which channels and heads to keep within a budget, by what keeping fewer did to the network."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch

from sentei.sparsity.allocation import ALLOCATIONS
from sentei.sparsity.budget import Budget
from sentei.sparsity.counting import Counts, Numbers, macs_by_counts, parameters_by_counts
from sentei.sparsity.curves import Curves, Probe, refuse_foreign
from sentei.sparsity.damage import damage_at
from sentei.sparsity.exceptions import Exceptions, excepted
from sentei.sparsity.fitting import Cost, fit_units
from sentei.sparsity.knapsack import solve
from sentei.sparsity.probing import best_measured
from sentei.sparsity.problem import Choice, Problem
from sentei.sparsity.space import Space, remembered
from sentei.sparsity.units import countable, keep_units, scores_as_numbers
from sentei.structure import Keep, Structure

_TEMPERS = (1.0, 0.5, 2.0)  # damages of several groups add up only roughly: more evenly spread, or more in one place


def search(
    structure: Structure,
    scores: Mapping[str, torch.Tensor],
    curves: Curves,
    budget: Budget,
    cost: Cost,
    probe: Probe | None = None,
    n_probes: int = 16,
    exceptions: Exceptions | None = None,
    round_to: int = 1,
    n_evaluations: int | None = None,
) -> Keep:
    """The units to keep for the least damage within a budget.

    The damage of a network is predicted as the sum of the damages that `measure_curves` found for its groups.

    Args:
        structure: The network's prunable groups.
        scores: By group: ``(n_units,)``, larger = keep; they say which units of a group leave first.
        curves: Sensitivity of every group that is not excepted, measured with these scores.
        budget: The most that the network may cost.
        cost: In the unit of the budget: ``structure.macs``, ``structure.n_parameters``, or a measurement.
        probe: Measures the damage of a masked network, as for the curves; without it the prediction decides.
        n_probes: How often the probe may be asked; at least 1.
        exceptions: As in `keep_units`.
        round_to: As in `keep_units`.
        n_evaluations: For costs that are measured: how many networks uniform pruning may ask for, how many the search
            (10 where this is None and the cost is no sum of products of sizes), and how many the moves from its best.

    Returns:
        By group: ``(n_units,)`` bool, True = keep.

    Raises:
        ValueError: An argument lies outside its range, or the curves lack a group or belong to another network.
        ModelError: Even the smallest network costs more than the budget.

    Guarantee:
        The cost of the returned network was asked for and was within the budget. Without a probe its predicted damage
        is at most that of uniform pruning within the budget (and of global and isomorphic pruning, where costs are not
        measured); with one, its measured damage is the least that was measured. Equal arguments give equal masks.

    Source:
        Sensitivity curves: Li et al., Pruning filters for efficient ConvNets, arXiv:1608.08710. Choosing under an exact
        budget: Shen et al., Structural pruning via latency-saliency knapsack (HALP), arXiv:2210.06659; see `solve`.
    """
    if n_probes < 1:
        raise ValueError(f"the search needs a probe or more, received n_probes={n_probes}")
    refuse_foreign(structure, curves)
    asked = remembered(cost)
    limit = budget.limit(asked({}) if budget.is_share else 0.0)
    family = partial(fit_units, structure, scores, budget, cost=asked, exceptions=exceptions, round_to=round_to)
    uniform = family(allocation="uniform", n_evaluations=n_evaluations)
    model = (parameters_by_counts if budget.measure in ("parameters", "bytes") else macs_by_counts)(structure)
    options, damage = _options(structure, scores, curves, exceptions, round_to)
    ranks = scores_as_numbers(structure, scores)
    space = Space(structure.groups, ranks, Problem(options, damage, model, limit), asked, limit)
    starts = [space.choice(uniform)]
    if n_evaluations is None and space.agrees(starts):
        starts += [space.choice(family(allocation=name)) for name in ALLOCATIONS if name != "uniform"]
    else:
        space = space.aligned(starts, n_evaluations or 10)
    if probe is None:
        found = _candidates(space, starts, tempers=(1.0,))
        return space.keep(min(found, key=lambda choice: (space.problem.damage_of(choice), choice)))
    found = _candidates(space, starts, _TEMPERS)
    allowed = space.allows if n_evaluations is None else _so_often(space.allows, n_evaluations)
    return space.keep(best_measured(space.problem, found, partial(_measured, probe, space), allowed, n_probes))


def _so_often(allows: Callable[[Choice], bool], n: int) -> Callable[[Choice], bool]:
    """The same answers for as many choices; then nothing more is allowed, because each answer is a measurement."""
    left = iter(range(n))
    return lambda choice: next(left, None) is not None and allows(choice)


def _measured(probe: Probe, space: Space, choice: Choice) -> float:
    return float(probe(space.keep(choice)))


def _options(
    structure: Structure,
    scores: Mapping[str, torch.Tensor],
    curves: Curves,
    exceptions: Exceptions | None,
    round_to: int,
) -> tuple[list[Counts], list[Numbers]]:
    """By group: the counts to choose from, and the damage of each; excepted groups have no choice."""
    own = excepted((group.name for group in structure.groups), exceptions)
    settled = keep_units(structure, scores, 0.0, "uniform", exceptions, round_to)
    options, damage = [], []
    for group in structure.groups:
        counts = [int(settled[group.name].sum())] if group.name in own else countable(group, round_to)
        options.append(np.array(counts, np.int64))
        damage.append(np.zeros(1) if group.name in own else damage_at(curves, group, counts))
    return options, damage


def _candidates(space: Space, starts: Sequence[Choice], tempers: Sequence[float]) -> Iterator[Choice]:
    """Different choices within the budget, the most promising first; the starts are among them."""
    first: list[Choice] = []
    others: list[Choice] = []
    for temper in tempers:
        damage = [(values - values[-1]) ** temper for values in space.problem.damage]
        found = solve(replace(space.problem, damage=damage), starts)
        first, others = first + found[:1], others + found[1:2]
    return (choice for choice in dict.fromkeys([*first, *starts, *others]) if choice in starts or space.allows(choice))
