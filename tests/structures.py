"""Small structures written by hand: what a tracer would find in chains, branches, residual nets and attention."""

import numpy as np

from sentei.structure import Group, Member, Product, Structure


def member(tensor: str, dim: int, role: str, units: int, width: int = 1) -> Member:
    """Places in the order of their units, ``width`` each."""
    return Member(tensor, dim, role, np.repeat(np.arange(units), width))


def chain(sizes: list[int], n_positions: int = 1) -> Structure:
    """Linear layers one after another: sizes[0] inputs, sizes[-1] outputs, every size between them a group."""
    layers = range(len(sizes) - 1)
    shapes = {f"fc{i}.weight": (sizes[i + 1], sizes[i]) for i in layers} | {
        f"fc{i}.bias": (sizes[i + 1],) for i in layers
    }
    groups = []
    for i in list(layers)[:-1]:
        n = sizes[i + 1]
        members = (
            member(f"fc{i}.weight", 0, "out", n),
            member(f"fc{i}.bias", 0, "out", n),
            member(f"fc{i + 1}.weight", 1, "in", n),
        )
        groups.append(Group(f"fc{i}", "channels", n, 1, members))
    products = tuple(Product(f"fc{i}.weight", n_positions) for i in layers)
    return Structure(tuple(groups), products, shapes, tuple(shapes), {})


def branches(sizes: list[int], prices: list[int]) -> Structure:
    """Hidden layers side by side on one input and one output: the cost of a unit depends on its own group alone."""
    groups, shapes, products = [], {}, []
    for i, (n, price) in enumerate(zip(sizes, prices, strict=True)):
        shapes |= {f"b{i}.weight": (n, 1), f"o{i}.weight": (1, n)}
        products += [Product(f"b{i}.weight", price), Product(f"o{i}.weight", price)]
        members = (member(f"b{i}.weight", 0, "out", n), member(f"o{i}.weight", 1, "in", n))
        groups.append(Group(f"b{i}", "channels", n, 1, members))
    return Structure(tuple(groups), tuple(products), shapes, tuple(shapes), {}, other_macs=5)


def residual() -> Structure:
    """A stem whose channels run along a residual stream, a block inside, and heads of attention on top."""
    shapes = {
        "stem.weight": (6, 3, 3, 3), "bn.weight": (6,), "bn.running_mean": (6,), "in.weight": (8, 6, 3, 3),
        "out.weight": (6, 8, 3, 3), "qkv.weight": (24, 6), "proj.weight": (6, 8), "head.weight": (5, 6),
    }  # fmt: skip
    places = [("stem", 0, "out"), ("bn", 0, "along"), ("in", 1, "in"), ("out", 0, "out"), ("qkv", 1, "in")]
    places += [("proj", 0, "out"), ("head", 1, "in")]
    stream = tuple(member(f"{layer}.weight", dim, role, 6) for layer, dim, role in places)
    stream += (member("bn.running_mean", 0, "along", 6),)
    inner = (member("in.weight", 0, "out", 8), member("out.weight", 1, "in", 8))
    heads = Member("qkv.weight", 0, "out", np.tile(np.repeat(np.arange(4), 2), 3)), member("proj.weight", 1, "in", 4, 2)
    groups = (
        Group("stem", "channels", 6, 1, stream),
        Group("in", "channels", 8, 1, inner),
        Group("qkv", "heads", 4, 2, heads),
    )
    uses = (("stem", 49), ("in", 49), ("out", 49), ("qkv", 9), ("proj", 9), ("head", 1))
    parameters = tuple(name for name in shapes if "running" not in name)
    return Structure(
        groups, tuple(Product(f"{name}.weight", n) for name, n in uses), shapes, parameters, {"qkv": 324}, 11
    )
