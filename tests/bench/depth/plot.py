"""What is left of the accuracy as activations become linear, as a picture."""

from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt

PLOT = Path(__file__).parents[3] / "docs" / "img" / "layers.png"
# Okabe and Ito's colours.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
MARKERS = ("o", "s", "^", "D")


def plot(figures: dict[str, Any], path: Path = PLOT) -> Path:
    """Draw test accuracy against the number of linear activations, a line for each way to go.

    Args:
        figures: Of the benchmark.
        path: The picture to write.
    """
    figure, axes = plt.subplots(figsize=(7, 4), constrained_layout=True)
    for (name, course), colour, marker in zip(figures["courses"].items(), COLOURS, MARKERS, strict=False):
        points = [(row["n_linear"], 100 * row["test"]) for row in course["iterates"]]
        axes.plot(*zip(*points, strict=True), color=colour, marker=marker, markersize=4, label=name)
    dense = 100 * next(iter(figures["courses"].values()))["iterates"][0]["test"]
    axes.axhline(dense - 1, color="#333333", linewidth=0.8, linestyle=":")
    axes.annotate("1 point below the dense network", (0, dense - 1), (4, -10), textcoords="offset points", fontsize=8)
    axes.set_xlabel("activations that are linear")
    axes.set_ylabel("test accuracy, %")
    axes.set_title(figures["network"], fontsize=9)
    axes.legend(fontsize=8, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    plt.close(figure)
    return path
