"""From slots that are tied to groups of units."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Literal

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from sentei.structure.groups import Group, Member, Role
from sentei.structure.slots import Ids, Slots

Vectors = Mapping[tuple[str, int], tuple[Role, Ids]]


def assemble(slots: Slots, heads: Mapping[str, str]) -> tuple[Group, ...]:
    """The groups of a network, in the order in which it makes their units.

    Args:
        slots: After the forward pass.
        heads: By name of the weight that makes heads: name of the attention.

    Returns:
        Groups of two or more units that something makes and something reads.
    """
    unit_of = slots.units()
    vectors: Vectors = {place: (role, unit_of[ids]) for place, (role, ids) in slots.vectors.items()}
    usable = _made_and_read(vectors)
    vectors = {place: (role, np.where(usable[ids], ids, -1)) for place, (role, ids) in vectors.items()}
    group_of = _grouped(vectors, len(usable))
    return tuple(group for group in _groups(vectors, group_of, heads) if group.n_units > 1)


def _made_and_read(vectors: Vectors) -> np.ndarray:
    """By unit, True where a layer makes it and a layer reads it; the last entry is for -1."""
    n_units = 1 + max((int(ids.max(initial=-1)) for _, ids in vectors.values()), default=-1)
    seen = {role: np.zeros(n_units + 1, dtype=bool) for role in ("out", "in", "along")}
    for role, ids in vectors.values():
        seen[role][ids] = True
    found: np.ndarray = seen["out"] & seen["in"]
    found[-1] = False
    return found


def _grouped(vectors: Vectors, n: int) -> np.ndarray:
    """By unit, the number of its group: units that one layer makes are of one group."""
    pairs = [
        np.stack([ids[ids >= 0], np.full(int((ids >= 0).sum()), ids[ids >= 0][0])])
        for role, ids in vectors.values()
        if role == "out" and (ids >= 0).any()
    ]
    rows, columns = np.concatenate(pairs, axis=1) if pairs else np.zeros((2, 0), np.int64)
    ties = coo_array((np.ones(len(rows), np.int8), (rows, columns)), shape=(n, n))
    _, group = connected_components(ties, directed=False)
    return np.asarray(group)


def _groups(vectors: Vectors, group_of: np.ndarray, heads: Mapping[str, str]) -> Iterator[Group]:
    makers: dict[int, list[tuple[str, Ids]]] = {}
    for (tensor, _), (role, ids) in vectors.items():
        if role == "out" and (made := ids[ids >= 0]).size:
            makers.setdefault(int(group_of[made[0]]), []).append((tensor, made))
    touching: dict[int, list[Member]] = {group: [] for group in makers}
    numbers = np.full(len(group_of), -1, np.int64)
    for makings in makers.values():
        units = _in_order(np.concatenate([ids for _, ids in makings]))
        numbers[units] = np.arange(len(units))
    for (tensor, dim), (role, ids) in vectors.items():
        for group in np.unique(group_of[ids[ids >= 0]]).tolist():
            mine = (ids >= 0) & (group_of[ids] == group)
            touching[group].append(Member(tensor, dim, role, np.where(mine, numbers[ids], -1)))
    modules = Counter(_module(makings[0][0]) for makings in makers.values())
    for group, makings in makers.items():
        maker = makings[0][0]
        name = heads.get(maker) or (_module(maker) if modules[_module(maker)] == 1 else maker)
        yield _group(name, maker, touching[group], "heads" if maker in heads else "channels")


def _in_order(ids: Ids) -> Ids:
    """Each id once, in the order of its first place."""
    _, first = np.unique(ids, return_index=True)
    ordered: Ids = ids[np.sort(first)]
    return ordered


def _module(tensor: str) -> str:
    """The module that owns a tensor; for a tensor of the network itself its own name."""
    return tensor.rpartition(".")[0] or tensor


def _group(name: str, maker: str, members: list[Member], kind: Literal["channels", "heads"]) -> Group:
    first = next(member for member in members if member.tensor == maker and member.role == "out")
    n_units = 1 + max(int(member.units.max()) for member in members)
    ordered = (first, *(member for member in members if member is not first))
    width = int(np.bincount(first.units[first.units >= 0]).max())
    return Group(name, kind, n_units, width, ordered)
