"""``python -m tests.bench [NAME ...]``: run benchmarks, all of them unless some are named.

Their figures go to ``tests/bench/results``; no test depends on them.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

from tests.bench import containers, decisions, false_promotion, overhead, reference, scaling, startup, tightness
from tests.bench.datafree import table
from tests.bench.depth import layers
from tests.bench.pruning import cifar, coverage, digits, latency, speed

BENCHMARKS: dict[str, tuple[str, Callable[[argparse.Namespace], Path]]] = {
    "startup": ("what import and help cost", lambda options: startup.main(options.repeats)),
    "overhead": ("what the framework adds to a run's work", lambda options: overhead.main(options.recipe)),
    "containers": ("what a task costs as a process and as a container", lambda _: containers.main()),
    "reference": ("certified sparsity, as published and ours", lambda options: reference.main("fashion-mnist")),
    "reference-mnist": ("the same on an MNIST folder", lambda options: reference.main("mnist")),
    "false-promotion": ("false promotions and power, ours and of other rules", lambda options: false_promotion.main()),
    "tightness": ("bounds on one drop, ours and of others", lambda options: tightness.main()),
    "pruning-coverage": (
        "torchvision's networks at half of their MACs, ours and torch-pruning",
        lambda _: coverage.main(),
    ),
    "pruning-digits": ("accuracy at equal MACs without fine-tuning, beside peers", lambda _: digits.main()),
    "pruning-cifar": ("accuracy at equal MACs after fine-tuning, beside peers", lambda _: cifar.main()),
    "pruning-latency": ("time of pruned networks beside dense ones", lambda _: latency.main()),
    "pruning-speed": ("how long pruning takes, beside peers", lambda _: speed.main()),
    "data-free": (
        "size, accuracy and robustness of networks pruned without data",
        lambda options: table.main(options.only),
    ),
    "layers-resnet18": (
        "activations removed, layers merged",
        lambda options: layers.main("resnet18", only=options.only),
    ),
    "layers-vgg16-bn": (
        "the same on fewer rows",
        lambda options: layers.main("vgg16_bn", 6_000, 2_000, 2_000, options.only),
    ),
    "scaling": ("constants of the scaling model: bytes, requests, rows per second", lambda _: scaling.main()),
    "decisions": ("how long decisions take, and how much memory", lambda options: decisions.main()),
}


def main() -> None:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__.partition("\n")[0])
    listed = "; ".join(f"{name}: {what}" for name, (what, _) in BENCHMARKS.items())
    parser.add_argument("names", nargs="*", metavar="NAME", help=listed)
    parser.add_argument("--recipe", default="fashion-mnist", help="recipe of overhead, such as digits")
    parser.add_argument("--repeats", type=int, default=21, help="turns of startup")
    parser.add_argument("--only", default="", help="parts of data-free and layers to measure anew, by part of a name")
    options = parser.parse_args()
    if unknown := set(options.names) - set(BENCHMARKS):
        parser.error(f"no benchmark named {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    for name in options.names or BENCHMARKS:
        print(BENCHMARKS[name][1](options))


if __name__ == "__main__":
    main()
