"""A measurement of sensitivity that was cut goes on where it stopped, and ends with the same bytes."""

import json
import os
import signal
import subprocess
import sys

import pytest

from sentei.sparsity import Curves
from sentei.steps import layout
from sentei.steps.damage import Damage
from sentei.steps.frozen import to_text
from sentei.steps.score import score_importance
from sentei.steps.sensitivity import search_key

WISHES = [["magnitude-l2", 1, False], ["obs", 4, True]]
KEYS = ["magnitude-l2/1/plain", "obs/4/reconstructed"]
# The network has 16 hidden units, of which 14, 12, ... 2 and 1 are kept; of multiples of four 12, 8 and 4. Each
# measurement begins with the whole network.
N_PROBES = [1 + 8, 1 + 3]


def importance(chain, **changes):
    units = {"unit_criteria": ["magnitude-l2", "obs"], "searches": WISHES}
    return to_text({**chain.plan.importance, "criteria": [], **units, **changes})


@pytest.fixture
def probed(monkeypatch):
    """Units kept, for each network whose damage was measured."""
    seen, measured = [], Damage.__call__

    def counted(self, keep):
        seen.append({name: int(mask.sum()) for name, mask in keep.items()})
        return measured(self, keep)

    monkeypatch.setattr(Damage, "__call__", counted)
    return seen


@pytest.fixture
def whole(chain, tmp_path):
    """The artifact of a measurement that nothing interrupts."""
    score_importance(chain.examples, importance(chain), chain["dense"], tmp_path / "whole")
    return layout.reading(tmp_path / "whole")


def test_the_artifact_holds_every_curve_that_a_search_needs(chain, probed, whole):
    stored = json.loads(whole.file(layout.CURVES).read_bytes())
    assert [search_key(*wish) for wish in WISHES] == KEYS == list(stored)
    curves = [Curves.from_json(json.dumps(stored[key])) for key in KEYS]
    assert [curve.dense for curve in curves] == [0.0, 0.0]
    assert [sorted(curve.damage["fc1"]) for curve in curves] == [[1, 2, 4, 6, 8, 10, 12, 14], [4, 8, 12]]
    assert [damage > 0 for curve in curves for damage in curve.damage["fc1"].values()] == [True] * 11
    assert len(probed) == sum(N_PROBES)


def stop_at(patch, n):
    module = sys.modules["sentei.steps.sensitivity"]
    told = module.tell

    def tell(event, **facts):
        told(event, **facts)
        if facts["n"] == n:
            raise TimeoutError

    patch.setattr(module, "tell", tell)


def interrupted(given, n):
    """The step, stopped once so many probes were told of."""
    with pytest.MonkeyPatch.context() as patch:
        stop_at(patch, n)
        with pytest.raises(TimeoutError):
            score_importance(*given)


@pytest.mark.parametrize("stopped", [1, 4, 9])
def test_what_was_probed_is_not_probed_again(chain, tmp_path, machine, probed, whole, stopped):
    machine.setenv("SENTEI_CHECKPOINTS", str(tmp_path / "checkpoints"))
    given = chain.examples, importance(chain), chain["dense"], tmp_path / "scores"
    del probed[:]
    interrupted(given, stopped)
    assert not (tmp_path / "scores").exists()
    assert len(probed) == stopped

    again = score_importance(*given)

    assert again["digest"] == whole.digest
    assert len(probed) == sum(N_PROBES)
    assert not list((tmp_path / "checkpoints").iterdir())  # nothing is left of what has ended


def test_a_damaged_measurement_is_made_again(chain, tmp_path, machine, probed, whole):
    machine.setenv("SENTEI_CHECKPOINTS", str(tmp_path / "checkpoints"))
    given = chain.examples, importance(chain), chain["dense"], tmp_path / "scores"
    interrupted(given, 4)
    [kept] = (tmp_path / "checkpoints").glob("*/curves.json")
    kept.write_bytes(kept.read_bytes().replace(b"0", b"1", 1))
    del probed[:]
    assert score_importance(*given)["digest"] == whole.digest
    assert len(probed) == sum(N_PROBES)


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"scope": "everything"}, {"searches": [["magnitude-l2", 1, True]]}], ids=str
)
def test_another_plan_does_not_go_on_from_these_curves(chain, tmp_path, machine, probed, change):
    machine.setenv("SENTEI_CHECKPOINTS", str(tmp_path / "checkpoints"))
    first = importance(chain, searches=WISHES[:1])
    interrupted((chain.examples, first, chain["dense"], tmp_path / "scores"), 4)
    del probed[:]
    score_importance(
        chain.examples, importance(chain, **{"searches": WISHES[:1]} | change), chain["dense"], tmp_path / "o"
    )
    assert len(probed) == N_PROBES[0]


KILLED = """
import os, signal, sys
from sentei.steps import sensitivity
from sentei.steps.score import score_importance

told = sensitivity.tell
def tell(event, **facts):
    told(event, **facts)
    if facts["n"] == 5:
        os.kill(os.getpid(), signal.SIGKILL)

os.sched_getaffinity = lambda _: {0}
sensitivity.tell = tell
score_importance(*sys.argv[1:])
"""


def test_a_process_that_was_killed_leaves_what_it_had_found(chain, tmp_path, machine, probed, whole):
    machine.setenv("SENTEI_CHECKPOINTS", str(tmp_path / "checkpoints"))
    given = chain.examples, importance(chain), chain["dense"], tmp_path / "scores"
    killed = subprocess.run([sys.executable, "-c", KILLED, *given], check=False, env=os.environ)
    assert killed.returncode == -signal.SIGKILL
    del probed[:]
    assert score_importance(*given)["digest"] == whole.digest
    assert len(probed) == sum(N_PROBES) - 5
