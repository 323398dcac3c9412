"""False promotions and power against delta, as a picture."""

from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

PLOT = Path(__file__).parents[3] / "docs" / "img" / "false-promotion.png"
TITLES = {
    "digits": "digits, pruned LeNet-5",
    "curve": "given truth, drops of 0 to 3 points",
    "at-the-bar": "given truth, all drops just above ε",
}
# Okabe and Ito's colours. Rules that coincide lie on top of each other, the widest below.
OURS = {"color": "#0072B2", "marker": "o", "markersize": 4, "linewidth": 1.6}
CORRECT = {**OURS, "marker": "s", "linestyle": ":", "markerfacecolor": "white"}
PROMISE = {"color": "#333333", "linewidth": 0.8}
RULES: dict[str, dict[str, Any]] = {
    "best point estimate": {"color": "#E69F00", "linewidth": 4.5},
    "the best, even if it fails": {"color": "#D55E00", "linewidth": 2.4},
    "last threshold not violated": {"color": "#000000", "linewidth": 1.0, "linestyle": (0, (4, 3))},
}
LINES: dict[str, dict[str, Any]] = {
    "ours: false promotions (above), share\nof the possible saving (below)": OURS,
    "ours: something correct was promoted": CORRECT,
    "the promise: rate = δ": PROMISE,
    **RULES,
}


def plot(figures: dict[str, Any], path: Path = PLOT) -> Path:
    """Draw the cases side by side, false promotions above and power below.

    Args:
        figures: Those of the benchmark's file.
        path: Of the PNG file.
    """
    style = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "axes.titlesize": 9}
    with plt.rc_context(style):
        figure, axes = plt.subplots(2, 3, figsize=(9.2, 5.4), sharex=True, sharey="row", layout="constrained")
        for column, (case, title) in enumerate(TITLES.items()):
            _false_promotions(axes[0, column], figures[case])
            axes[0, column].set_title(f"{title}\nε = {_points(figures[case]['epsilon'])}, {_rows(figures[case])}")
        for column, case in enumerate(("digits", "curve")):
            _power(axes[1, column], figures[case])
            axes[1, column].set_xlabel("δ, the promised limit")
        axes[0, 2].tick_params(labelbottom=True)
        axes[0, 2].set_xlabel("δ, the promised limit")
        axes[0, 0].set_ylabel("rate of false promotions")
        axes[1, 0].set_ylabel("power")
        _legend(axes[1, 2])
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=110, metadata={"Software": None})
        plt.close(figure)
    return path


def _false_promotions(axes: Axes, case: dict[str, Any]) -> None:
    deltas, rates = _series(case, "false_promotion_rate")
    ends = [row["interval"] for row in case["ours"]]
    spread = [[rate - low for rate, (low, _) in zip(rates, ends, strict=True)]]
    spread.append([high - rate for rate, (_, high) in zip(rates, ends, strict=True)])
    axes.plot([0, 0.32], [0, 0.32], **PROMISE)
    for rule, line in RULES.items():
        axes.axhline(case["others"][rule]["false_promotion_rate"], **line)
    axes.errorbar(deltas, rates, yerr=spread, capsize=2, **OURS)
    axes.set(xlim=(0, 0.32), ylim=(-0.02, 1.03))


def _power(axes: Axes, case: dict[str, Any]) -> None:
    for rule, line in RULES.items():
        axes.axhline(case["others"][rule]["mean_saving"], **line)
    axes.plot(*_series(case, "correct"), **CORRECT)
    axes.plot(*_series(case, "mean_saving"), **OURS)
    axes.set(xlim=(0, 0.32), ylim=(0, 1.03))


def _legend(axes: Axes) -> None:
    axes.axis("off")
    handles = [Line2D([], [], label=label, **line) for label, line in LINES.items()]
    axes.legend(handles=handles, loc="center left", frameon=False, handlelength=3, labelspacing=0.9, fontsize=9)


def _series(case: dict[str, Any], name: str) -> tuple[list[float], list[float]]:
    return [float(row["delta"]) for row in case["ours"]], [row[name] for row in case["ours"]]


def _points(epsilon: str) -> str:
    points = float(epsilon) * 100
    return f"{points:g} point{'' if points == 1 else 's'}"


def _rows(case: dict[str, Any]) -> str:
    return f"{case['n_calibration']:,} calibration rows".replace(",", " ")
