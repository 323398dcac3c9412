"""Whoever watches a run reads one JSON line for each event."""

import json
import subprocess
import sys

from sentei.steps.progress import stage, tell, work
from sentei.steps.runtime import runtime_facts, sources_digest, threads

TELL = """
import sys
from sentei.steps.progress import tell
for n in range(300):
    tell("epoch", subject=sys.argv[1] * 50, n=n)
"""


def test_a_stage_begins_works_and_ends(tmp_path, machine):
    machine.setenv("SENTEI_EVENTS", str(tmp_path / "events"))
    with stage("prune", "a"), work("prune"):
        tell("epoch", epoch=1)
    events = [json.loads(line) for line in (tmp_path / "events").read_text().splitlines()]
    assert [event["event"] for event in events] == ["begin", "epoch", "work", "end"]
    assert (events[0]["stage"], events[0]["subject"]) == ("prune", "a")


def test_without_a_file_events_are_printed(machine, capsys):
    machine.delenv("SENTEI_EVENTS")
    tell("epoch", epoch=1)
    assert json.loads(capsys.readouterr().out)["epoch"] == 1


def test_steps_side_by_side_never_mix_their_lines(tmp_path, machine):
    machine.setenv("SENTEI_EVENTS", str(tmp_path / "events"))
    running = [subprocess.Popen([sys.executable, "-c", TELL, name]) for name in "abc"]
    assert [process.wait() for process in running] == [0, 0, 0]
    events = [json.loads(line) for line in (tmp_path / "events").read_text().splitlines()]
    for name in "abc":
        assert [event["n"] for event in events if event["subject"] == name * 50] == list(range(300))


def test_steps_side_by_side_share_the_cores(machine):
    machine.setattr("os.sched_getaffinity", lambda _: set(range(6)))
    machine.setenv("SENTEI_SIDE_BY_SIDE", "2")
    assert (threads(shared=True), threads(shared=False)) == (3, 6)
    machine.setenv("SENTEI_SIDE_BY_SIDE", "100")
    assert threads(shared=True) == 1


def test_a_record_can_hold_what_is_said_of_the_machine():
    facts = runtime_facts(3)
    assert facts["threads"] == 3
    assert facts["packages"].keys() >= {"python", "sentei", "numpy", "torch", "onnxruntime"}
    assert json.loads(json.dumps(facts)) == facts
    assert len(bytes.fromhex(sources_digest())) == 32


def test_a_step_that_prunes_asks_for_results_that_repeat_and_loads_neither_compiler_nor_solvers():
    code = (
        "import sys, torch, sentei.steps.prune, sentei.steps.score\n"
        "from sentei.steps.runtime import use_threads\n"
        "use_threads(shared=False)\n"
        "print(torch.get_deterministic_debug_mode(), {'torch._dynamo', 'scipy.optimize'} & set(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "2 set()\n"
