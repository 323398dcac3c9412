"""How long a user waits for the bare interpreter, for ``import sentei``, and for ``sentei --help``."""

import subprocess
import sys
import time
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from tests.bench.record import keep, load

COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "python -c 'import sentei'": [sys.executable, "-c", "import sentei"],
    "sentei --help": [str(Path(sys.executable).with_name("sentei")), "--help"],
}
BARE, IMPORT, HELP = COMMANDS


def main(repeats: int) -> Path:
    """Run the commands in turns, so that a busy moment meets all of them; the file with the figures.

    Args:
        repeats: Turns; the first one, in which files come from disk, is made beforehand and not counted.
    """
    before = load()
    for command in COMMANDS.values():
        _seconds(command)
    taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(repeats):
        for name, command in COMMANDS.items():
            taken[name].append(_seconds(command))
    figures: dict[str, Any] = {"repeats": repeats}
    figures["commands"] = {name: _spread(seconds) for name, seconds in taken.items()}
    figures["over_the_bare_interpreter"] = {
        name: _spread([one - bare for one, bare in zip(taken[name], taken[BARE], strict=True)])
        for name in (IMPORT, HELP)
    }
    return keep("startup", figures, seeds={}, load_before=before)


def _seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def _spread(seconds: list[float]) -> dict[str, float]:
    low, _, high = quantiles(seconds, n=4)
    parts = {"median_s": median(seconds), "lower_quartile_s": low, "upper_quartile_s": high, "least_s": min(seconds)}
    return {name: round(value, 4) for name, value in parts.items()}
