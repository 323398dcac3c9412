"""Damage at every count, from the counts that were probed."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from sentei.sparsity.curves import Curves
from sentei.structure import Group

Numbers = npt.NDArray[np.float64]


def damage_at(curves: Curves, group: Group, counts: Sequence[int]) -> Numbers:
    """The damage to expect when the group alone keeps so many units.

    Args:
        curves: Probed damages; the dense network's and one of the group's at least.
        group: The group.
        counts: In [1, n_units].

    Returns:
        ``(len(counts),)``, in the unit of the probe: straight lines between the probed counts, which noise may not make
        grow with the count; below the lowest probed one the first line goes on.

    Raises:
        ValueError: The curves lack the dense network or the group.

    Source:
        Least squares among the curves that never grow: Barlow et al., Statistical inference under order restrictions,
        1972 (pool adjacent violators).

    Example:
        >>> group = Group("conv1", "channels", 8, 1, ())
        >>> damage_at(Curves(0.0, {"conv1": {2: 0.9, 4: 0.2}}), group, [1, 2, 3, 6, 8]).round(2).tolist()
        [1.25, 0.9, 0.55, 0.1, 0.0]
    """
    from scipy.optimize import isotonic_regression  # most of a second, which only a search has to wait for

    probed = dict(curves.damage.get(group.name, {}))
    if curves.dense is None or not set(probed) - {group.n_units}:
        raise ValueError(f"the sensitivity of {group.name!r} is unknown; call measure_curves for this network first")
    probed[group.n_units] = curves.dense
    at = np.array(sorted(probed), np.float64)
    damage: Numbers = isotonic_regression([probed[int(n)] for n in at], increasing=False).x
    wished = np.asarray(counts, np.float64)
    slope = (damage[1] - damage[0]) / (at[1] - at[0])
    expected: Numbers = np.interp(wished, at, damage) + np.minimum(wished - at[0], 0.0) * slope
    return expected
