"""A later run whose networks did not change comes to the attempt made before, and says the same, to the byte."""

from dataclasses import replace

from sentei.steps import layout
from sentei.steps.calibrate import calibrate
from sentei.steps.evaluate import evaluate
from sentei.steps.frozen import to_text
from sentei.steps.ledger import FolderShelf, Ledger


def open_folder(place):
    return Ledger(FolderShelf(place))


def test_the_same_attempt_at_another_time_gives_the_same_certificate_and_the_same_bundle(chain, tmp_path):
    decision = {**chain.plan.decision, "ledger": str(tmp_path / "ledger"), "compare": []}
    here = replace(chain, plan=replace(chain.plan, decision=decision))
    made, seen = ([chain[f"{kind}/{name}"] for name in chain.names] for kind in ("made", "seen"))
    for day in ("first", "second"):
        reference = tmp_path / day / "reference"  # evaluated anew each time, with a latency of its own
        evaluate(chain.examples, chain["dense"], "selection", reference, attacks=to_text(list(chain.plan.attacks)))
        folders = chain["dense"], reference, made, seen, tmp_path / day / "verdict", tmp_path / day / "chosen"
        at = {"first": "2026-01-31T12:00:00Z", "second": "2026-02-01T12:00:00Z"}[day]
        decided = calibrate(here.decision, here.examples, *folders, at, open_ledger=open_folder)
        assert decided.verdict == "certified"
        parts = {"verdict": tmp_path / day / "verdict", "chosen": tmp_path / day / "chosen"}
        assert here.assemble(tmp_path / day / "bundle", **parts)["status"] == "ok"
    first, second = (layout.reading(tmp_path / day / "bundle") for day in ("first", "second"))
    assert first.files[layout.CERTIFICATE] == second.files[layout.CERTIFICATE]
    assert first.digest == second.digest
    assert len(open_folder(tmp_path / "ledger").chains()[0].entries) == 1
