"""Ways from losses to a choice: ours, and ones that are deliberately broken in ways that were seen elsewhere.

Each takes the claim, the selection counts, the calibration counts and the costs by name, and returns the name of the
variant that it would promote, or None.
"""

from dataclasses import replace
from decimal import Decimal

from sentei.risk import pareto_order
from tests.examined import examined


def fixed_order(claim, selection, costs):
    names = sorted(selection)
    front = pareto_order([claim.estimate(selection[name]) for name in names], [costs[name] for name in names])
    return [names[index] for index in front]


def decided(claim, order, calibration, costs):
    return examined(order, calibration.__getitem__, claim, costs)


def index_minus_one(claim, selection, calibration, costs):
    """Nothing rejected gives the index -1, and so the last, most pruned variant."""
    order = fixed_order(claim, selection, costs)
    return order[len(decided(claim, order, calibration, costs).certified) - 1]


def order_from_calibration(claim, selection, calibration, costs):
    """The safest first, as the calibration rows see it."""
    order = sorted(calibration, key=lambda name: claim.estimate(calibration[name]))
    return decided(claim, order, calibration, costs).chosen


def direction_from_calibration(claim, selection, calibration, costs):
    """From whichever end the calibration rows let it go further."""
    order = sorted(selection)
    ways = [decided(claim, way, calibration, costs) for way in (order, order[::-1])]
    return max(ways, key=lambda decision: len(decision.certified)).chosen


def first_not_rejected(claim, selection, calibration, costs):
    """Off by one: the variant that ended the sequence."""
    order = fixed_order(claim, selection, costs)
    n_passed = len(decided(claim, order, calibration, costs).certified)
    return order[min(n_passed, len(order) - 1)]


def extreme_when_nothing_passes(claim, selection, calibration, costs):
    """A value in place of a refusal: the safest variant, though it failed."""
    order = fixed_order(claim, selection, costs)
    return decided(claim, order, calibration, costs).chosen or order[0]


def no_stop_at_the_first_failure(claim, selection, calibration, costs):
    """Every variant is tested at the full delta, and the cheapest pass wins."""
    passed = [name for name in calibration if claim.holds(claim.p_value(calibration[name]))]
    return min(passed, key=costs.__getitem__, default=None)


def twice_the_level(claim, selection, calibration, costs):
    """A p-value of 2 delta passes too."""
    generous = replace(claim, delta=str(2 * Decimal(claim.delta)))
    return decided(generous, fixed_order(claim, selection, costs), calibration, costs).chosen


MUTANTS = (
    index_minus_one,
    order_from_calibration,
    direction_from_calibration,
    first_not_rejected,
    extreme_when_nothing_passes,
    no_stop_at_the_first_failure,
    twice_the_level,
)
