"""What is fed counts once, is remembered through every kill, and revokes when it is enough and not before."""

import json
import multiprocessing
import os
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from sentei.certificate.canonical import canonical_json, digest
from sentei.errors import ArtifactError, DataError, RecipeError, ServiceError
from sentei.risk import Claim
from sentei.risk.eprocess import EProcess
from sentei.steps.monitor import session, state
from sentei.steps.monitor.report import conclusion, facts, lines
from sentei.steps.monitor.rows import Networks
from sentei.steps.monitor.session import Wishes, monitor, resume
from sentei.steps.monitor.state import locked, read_state, write_state
from sentei.steps.monitor.watches import watches_of
from tests.certified_run import certified_run

SHA256, OTHER = "a" * 64, "b" * 64
NOT_ASKED = Networks(variant=Path("nowhere"))
DROP, WORST = Claim("accuracy_drop", "0.02", "0.05"), Claim("worst_class_drop", "0.06", "0.05")
RISK, SELECTIVE = Claim("risk", "0.2", "0.05"), Claim("selective_risk", "0.2", "0.05", settings={"coverage": "0.5"})
DICE = Claim("risk", "0.2", "0.05", settings={"loss": "dice", "method": "betting"})
# Rows by what they say: right and wrong answers of both networks, and two that nobody has labelled.
FINE, HARMED, HELPED, BOTH = "1,1,1", "2,1,1", "1,2,1", "2,2,1"
AGREE, DIFFER = "1,1,", "2,1,"


@cache
def record(*claims):
    return certified_run(*claims).record()


class Registry:
    """Remembers what it was told."""

    def __init__(self, revoked=""):
        self.revoked, self.told = revoked, []

    def revoke(self, reason, at):
        self.told.append((reason, at))
        return {"model": "net", "version": "3", "removed": "certified", "still_certified": ""}


class Place:
    """A folder with a state and files of rows."""

    def __init__(self, folder, *claims):
        self.folder, self.record, self.said, self.registry = folder, record(*claims or (DROP,)), [], Registry()
        self.path, self.clock = folder / "state.json", iter(range(10_000))

    def write(self, name, *rows):
        (self.folder / name).write_text("\n".join(["variant,dense,label", *rows]) + "\n")
        return name, self.folder / name

    def feed(self, *files, sha256=SHA256, **wishes):
        begun = resume(self.path, self.record, sha256, Wishes(**wishes))
        return monitor(self.path, begun, files, NOT_ASKED, self.registry, self.said.append, self.now)

    def now(self):
        return f"2026-02-01T00:{next(self.clock):02d}:00Z"


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def test_labelled_rows_feed_the_drop_that_the_certificate_claims(place):
    rows = 3 * [FINE] + [HARMED, HELPED, BOTH, FINE, HARMED]
    found = place.feed(place.write("a.csv", *rows))

    (watch,) = found.watches
    expected = EProcess.revoke("0.02", low="-1").update([0, 0, 0, 1, -1, 0, 0, 1])
    assert (watch.measure, watch.evidence) == ("accuracy drop", expected)
    assert found.crossed is None
    assert place.registry.told == []
    assert place.said == ["a.csv: 8 rows, 8 labelled", f"began a new state at {place.path}"]
    assert read_state(place.path) == found


def test_files_fed_one_by_one_say_what_they_say_together(tmp_path):
    rng = np.random.default_rng(1)
    rows = [FINE if u < 0.9 else HELPED if u < 0.95 else HARMED for u in rng.random(600)]
    together, apart = (Place(tmp_path / name) for name in ("together", "apart"))
    for place in (together, apart):
        place.folder.mkdir()
    cuts = [0, 1, 250, 253, 600]
    whole = together.feed(*(together.write(f"{at}.csv", *rows[at:end]) for at, end in pairwise(cuts)))
    for at, end in pairwise(cuts):
        last = apart.feed(apart.write(f"{at}.csv", *rows[at:end]))
    assert last.watches == whole.watches
    assert last.watches[0].evidence.n_rows == 600


def test_a_file_that_was_fed_is_known_by_its_bytes(place):
    first = place.feed(place.write("a.csv", FINE, HARMED))
    assert place.feed(place.write("a.csv", FINE, HARMED)) == first
    assert place.said[2:] == [f"a.csv: fed before, at {first.fed[0].at} as a.csv; passed over"]
    assert place.feed(place.write("c.csv", FINE, HARMED, FINE)).watches[0].evidence.n_rows == 5


def test_the_same_bytes_under_another_name_are_passed_over_only_if_they_are_surely_the_same_rows(place):
    """Of hourly files of a few rows those without harm are often equal; to drop these would leave the others."""
    place.feed(place.write("9h.csv", FINE, FINE))
    kept = place.path.read_bytes()
    with pytest.raises(
        DataError, match=r"10h\.csv: equal byte for byte to 9h\.csv.*tells rows apart, such as their time"
    ):
        place.feed(place.write("10h.csv", FINE, FINE))
    assert place.path.read_bytes() == kept

    for name in ("11h.csv", "copy.csv"):
        (place.folder / name).write_text("variant,dense,label,time\n1,1,1,11:07\n")
        found = place.feed((name, place.folder / name))
    assert found.watches[0].evidence.n_rows == 3
    assert place.said[-1].endswith("as 11h.csv; passed over")
    for name in ("12h.csv", "13h.csv"):  # no rows, and so no rows too many
        found = place.feed(place.write(name))
    assert found.watches[0].evidence.n_rows == 3


def test_a_file_that_has_grown_is_refused_and_one_that_was_replaced_is_not(place):
    place.feed(place.write("rows.csv", HARMED, FINE))
    with pytest.raises(DataError, match=r"rows\.csv: begins with the 2 rows that were fed at .*a file of their own"):
        place.feed(place.write("rows.csv", HARMED, FINE, FINE))
    assert place.feed(place.write("rows.csv", FINE, FINE, FINE, FINE)).watches[0].evidence.n_rows == 6


def test_the_certificate_is_revoked_once_the_evidence_is_enough(place):
    found = place.feed(*(place.write(f"{n}.csv", *(n * [FINE]), *(20 * [HARMED])) for n in range(9)))

    n_fed = len(found.fed)
    assert n_fed < 9  # what came after was not needed
    assert found.watches[0].evidence.crossed(0.05)
    assert not found.watches[0].evidence.crossed(0.05**20)
    ((reason, at),) = place.registry.told
    assert reason.startswith("with 95 % confidence the accuracy drop has risen above 0.02: ")
    assert f": {found.watches[0].evidence.n_rows} rows, mean {found.watches[0].evidence.mean:.5f}, p = " in reason
    assert found.crossed == {"at": at, "reason": reason}
    assert found.revoked["removed"] == "certified"
    assert conclusion(found) == f"REVOKED at {at}: {reason}"
    assert facts(found)["verdict"] == "revoked"


def test_a_revoked_certificate_is_fed_nothing_and_revoked_no_second_time(place):
    bad = place.write("bad.csv", *(200 * [HARMED]))
    found = place.feed(bad)
    again = place.feed(("never opened", place.folder / "none.csv"))
    assert again == found
    assert len(place.registry.told) == 1


class Killed(BaseException):
    """What ends a process in the middle; nothing that sentei catches."""


def test_killed_between_crossing_and_revoking_the_next_call_revokes(place):
    def die(reason, at):
        raise Killed

    place.registry.revoke = die
    with pytest.raises(Killed):
        place.feed(place.write("bad.csv", *(200 * [HARMED])))
    assert read_state(place.path).crossed is not None
    assert read_state(place.path).revoked is None

    place.registry = Registry()
    found = place.feed()
    assert place.registry.told == [(found.crossed["reason"], found.crossed["at"])]
    assert found.revoked["version"] == "3"


def test_killed_between_revoking_and_remembering_the_next_call_revokes_again(place, monkeypatch):
    kept = state.write_state

    def write(path, value):
        if value.revoked is not None:
            raise Killed
        kept(path, value)

    monkeypatch.setattr(session, "write_state", write)
    with pytest.raises(Killed):
        place.feed(place.write("bad.csv", *(200 * [HARMED])))
    monkeypatch.undo()
    place.feed()
    assert len(place.registry.told) == 2
    assert len(set(place.registry.told)) == 1  # with the same time and reason


@pytest.mark.parametrize("cut", ["fsync", "replace"])
def test_killed_while_writing_the_state_before_is_kept(place, monkeypatch, cut):
    first = place.feed(place.write("a.csv", FINE, HARMED))

    def die(*arguments):
        raise Killed

    monkeypatch.setattr(os, cut, die)
    with pytest.raises(Killed):
        place.feed(place.write("b.csv", FINE))
    monkeypatch.undo()
    assert read_state(place.path) == first
    assert place.feed(place.write("b.csv", FINE)).watches[0].evidence.n_rows == 3
    assert not list(place.folder.glob(".*.partial-*"))


def test_a_file_that_cannot_be_read_leaves_what_was_fed_before_it(place):
    good, bad = place.write("a.csv", FINE), place.write("b.csv", "1.5,1,1")
    with pytest.raises(DataError, match=r"b\.csv: line 2"):
        place.feed(good, bad)
    assert [one.name for one in read_state(place.path).fed] == ["a.csv"]


def test_without_a_registry_it_only_says_so(place):
    place.registry = None
    found = place.feed(place.write("bad.csv", *(200 * [HARMED])))
    assert found.crossed is not None
    assert found.revoked is None
    place.registry = Registry()
    assert place.feed().revoked is not None


def test_what_somebody_else_has_revoked_is_fed_nothing(place):
    place.registry = Registry(revoked="2026-01-01T00:00:00Z: by hand")
    found = place.feed(place.write("a.csv", *(200 * [HARMED])))
    assert found.fed == ()
    assert place.registry.told == []
    assert not place.path.exists()


def test_unlabelled_rows_need_a_limit_from_the_first_feeding_on(place):
    with pytest.raises(DataError, match=r"a\.csv: 1 of 2 rows have no label.*--limit"):
        place.feed(place.write("a.csv", FINE, AGREE))
    assert not place.path.exists()

    found = place.feed(place.write("a.csv", FINE, AGREE, DIFFER, HARMED), limit="0.05")
    drop, differ = found.watches
    assert drop.evidence == EProcess.revoke("0.02", low="-1").update([0, 1])
    assert differ.evidence == EProcess.revoke("0.05").update([0, 1])

    other = Place(place.folder / "other")
    other.folder.mkdir()
    other.feed(other.write("a.csv", FINE))
    with pytest.raises(RecipeError, match=r"begun with limit left out, received 0\.05"):
        other.feed(other.write("b.csv", AGREE), limit="0.05")


def test_the_watches_share_delta_so_that_all_false_alarms_stay_within_it(place):
    """Half of 0.05 for each: 40 units of evidence and not 20."""
    evidence, n_rows = EProcess.revoke("0.5"), 0
    while not evidence.crossed(0.05):
        evidence, n_rows = evidence.update([1]), n_rows + 1
    assert not evidence.crossed(0.025)

    found = place.feed(place.write("a.csv", *(n_rows * [DIFFER])), limit="0.5")
    assert found.crossed is None
    assert "of which 40 would be enough" in lines(found)[0]
    found = place.feed(place.write("b.csv", *(3 * [DIFFER]), AGREE))
    assert found.crossed["reason"].startswith("with 95 % confidence the disagreement has risen above 0.5: ")


@pytest.mark.parametrize(
    ("claims", "limit", "expected"),
    [
        ((DROP,), None, [("accuracy drop", "0.02")]),
        ((DROP,), "0.1", [("accuracy drop", "0.02"), ("disagreement", "0.1")]),
        ((Claim("risk", "0.2", "0.05"),), None, [("error rate", "0.2")]),
        ((Claim("disagreement", "0.02", "0.05"),), None, [("disagreement", "0.02")]),
        ((Claim("worst_class_drop", "0.05", "0.05"),), None, [("accuracy drop", "0.05")]),
        ((DROP, WORST), None, [("accuracy drop", "0.02"), ("accuracy drop", "0.06")]),
        ((Claim("selective_risk", "0.2", "0.05", settings={"coverage": "0.5"}),), "0.1", [("disagreement", "0.1")]),
    ],
)  # fmt: skip
def test_every_claim_that_answers_can_tell_about_is_watched(claims, limit, expected):
    found = watches_of(record(*claims), limit, "revoke")
    assert [(watch.measure, watch.evidence.limit) for watch in found] == expected
    assert {watch.evidence.direction for watch in found} == {"revoke"}


@pytest.mark.parametrize(
    "claim",
    [
        Claim("risk", "0.2", "0.05", settings={"loss": "dice", "method": "betting"}),
        Claim("loss_drop", "0.03", "0.05", settings={"loss": "dice"}),
        Claim("selective_risk", "0.2", "0.05", settings={"coverage": "0.5"}),
    ],
    ids=lambda claim: claim.kind,
)
def test_what_answers_cannot_tell_about_is_not_watched_silently(claim):
    with pytest.raises(RecipeError, match=f"claims {claim.kind}, which answers alone cannot tell; .*--limit"):
        watches_of(record(claim), None, "revoke")


def test_a_claim_of_disagreement_has_its_own_limit_and_looks_at_no_label(tmp_path):
    place = Place(tmp_path, Claim("disagreement", "0.02", "0.05"))
    with pytest.raises(RecipeError, match="--limit: the certificate itself limits the disagreement"):
        place.feed(limit="0.02")
    found = place.feed(place.write("a.csv", AGREE, DIFFER, FINE, HARMED, BOTH, "-1,-1,"))
    assert found.watches[0].evidence == EProcess.revoke("0.02").update([0, 1, 0, 1, 0, 1])


def test_a_claim_of_risk_needs_no_dense_model(tmp_path):
    place = Place(tmp_path, Claim("risk", "0.2", "0.05"))
    (tmp_path / "a.csv").write_text("variant,label\n1,1\n2,1\n-1,1\n")
    found = place.feed(("a.csv", tmp_path / "a.csv"))
    assert found.watches[0].evidence == EProcess.revoke("0.2").update([0, 1, 1])


def test_a_drop_without_the_dense_model_s_answers_is_refused(place):
    (place.folder / "a.csv").write_text("variant,label\n1,1\n")
    with pytest.raises(DataError, match=r"a\.csv: the accuracy drop compares with the dense model.*--dense"):
        place.feed(("a.csv", place.folder / "a.csv"))


def test_a_state_belongs_to_one_certificate_and_to_what_was_asked_for_at_first(place):
    place.feed(place.write("a.csv", FINE), limit="0.050", delta="0.010")
    kept = place.path.read_bytes()
    assert read_state(place.path).delta == "0.01"
    for changed, message in (
        ({"sha256": OTHER}, f"the state of certificate {SHA256[:12]}, and this bundle's is {OTHER[:12]}"),
        ({"limit": "0.06"}, "begun with limit 0.05, received 0.06"),
        ({"delta": "0.05"}, "begun with delta 0.01, received 0.05"),
        ({"aim": "certify"}, "begun with aim revoke, received certify"),
    ):
        with pytest.raises(RecipeError, match=message):
            place.feed(place.write("b.csv", FINE), **changed)
    assert place.path.read_bytes() == kept
    for n, name, same in ((2, "c.csv", {}), (3, "d.csv", {"limit": "5e-2", "delta": "0.01"})):
        place.feed(place.write(name, *(n * [FINE])), **same)
    assert read_state(place.path).watches[0].evidence.n_rows == 6


@pytest.mark.parametrize("text", ["0", "1", "-0.1", "x", "nan", "", "0,05"])
def test_limits_and_deltas_are_numbers_between_0_and_1(text):
    for name in ("limit", "delta"):
        with pytest.raises(RecipeError, match=f"--{name}: expected a number"):
            Wishes(**{name: text})


def test_delta_is_the_certificate_s_own_if_nobody_says_another(place):
    assert place.feed(place.write("a.csv", FINE)).delta == "0.05"


def reseal(path, change):
    body = json.loads(path.read_bytes())
    change(body)
    del body["digest"]
    path.write_bytes(canonical_json({**body, "digest": digest(body)}))


def test_an_altered_state_is_refused_whatever_was_altered(place):
    place.feed(place.write("a.csv", FINE, HARMED))
    kept = place.path.read_bytes()
    for position in range(len(kept)):
        data = bytearray(kept)
        data[position] ^= 1 << position % 8
        place.path.write_bytes(data)
        with pytest.raises(ArtifactError, match=r"state\.json"):
            read_state(place.path)
    changes = [
        lambda body: body.update(format="sentei.monitor/9"),
        lambda body: body.pop("fed"),
        lambda body: body["watches"][0].pop("measure"),
        lambda body: body["watches"][0]["evidence"].update(peak="0.5"),
        lambda body: body["fed"][0].update(more=1),
    ]
    for change in changes:
        place.path.write_bytes(kept)
        reseal(place.path, change)
        with pytest.raises(ArtifactError, match=r"state\.json"):
            read_state(place.path)
    for text in (b"", b"[]\n", b"1\n", b"null\n", b"\xff"):
        place.path.write_bytes(text)
        with pytest.raises(ArtifactError, match=r"state\.json"):
            read_state(place.path)
    place.path.write_bytes(kept)
    write_state(place.path, read_state(place.path))
    assert place.path.read_bytes() == kept


def test_a_lost_state_is_seen(place, monkeypatch):
    monkeypatch.chdir(place.folder)
    place.path = Path("state.json")
    with pytest.raises(DataError):
        place.feed(place.write("bad.csv", "1.5,1,1"))
    with pytest.raises(ArtifactError, match=r"/state\.json: expected the state .* --resume"):
        place.feed(place.write("a.csv", FINE), must_exist=True)
    assert place.said == []
    assert not place.path.exists()

    begun = f"began a new state at {place.folder / 'state.json'}"
    place.feed(place.write("a.csv", FINE), place.write("b.csv", HARMED))
    place.feed(place.write("c.csv", HELPED), must_exist=True)
    assert place.said.count(begun) == 1
    place.path.rename("lost.json")
    place.feed(place.write("d.csv", HELPED))
    assert place.said.count(begun) == 2


def hold(path, ready, go):
    with locked(path):
        ready.set()
        go.wait()


def test_only_one_monitor_works_on_a_state(tmp_path):
    path, spawn = tmp_path / "state.json", multiprocessing.get_context("fork")
    ready, go = spawn.Event(), spawn.Event()
    other = spawn.Process(target=hold, args=(path, ready, go))
    other.start()
    try:
        assert ready.wait(60)
        with pytest.raises(ServiceError, match="another monitor works on this state"), locked(path):
            pass
        with locked(tmp_path / "own.json"):
            pass
    finally:
        go.set()
        other.join()
    with locked(path):
        pass


def test_an_anytime_certificate_gathers_evidence_for_the_claim_and_revokes_nothing(place):
    found = place.feed(place.write("a.csv", *(50 * [FINE])), aim="certify")
    assert found.watches[0].evidence == EProcess.certify("0.02").update(50 * [0])
    assert (facts(found)["verdict"], found.crossed) == ("open", None)
    assert conclusion(found) == "not proven yet; labels may keep arriving"

    for n in range(20):
        found = place.feed(place.write(f"{n}.csv", *(n * [HELPED]), *(100 * [FINE])), aim="certify")
    assert facts(found)["verdict"] == "proven"
    assert found.crossed["reason"].startswith("with 95 % confidence the accuracy drop is below 0.02: ")
    assert place.registry.told == []


def test_an_anytime_certificate_of_the_disagreement_needs_no_labels(place):
    found = place.feed(place.write("a.csv", *(200 * [AGREE]), FINE, DIFFER), aim="certify", limit="0.05")
    assert found.watches[0].evidence == EProcess.certify("0.05", low="0").update(201 * [0] + [1])
    assert found.crossed is not None
    assert lines(found)[0] == "evidence that the disagreement is below --limit, of which 20 would be enough:"


def test_an_anytime_certificate_proves_one_thing_at_a_time():
    for claims in ((DROP, WORST), (DROP, SELECTIVE), (SELECTIVE, DROP)):
        with pytest.raises(RecipeError, match=r"--certify proves .* claims accuracy_drop, |, accuracy_drop;"):
            watches_of(record(*claims), None, "certify")
        (watch,) = watches_of(record(*claims), "0.1", "certify")
        assert (watch.measure, watch.evidence.limit) == ("disagreement", "0.1")


@pytest.mark.parametrize("claim", [WORST, SELECTIVE, DICE], ids=lambda claim: claim.kind)
def test_an_anytime_certificate_proves_no_less_than_the_claim(place, claim):
    """The drop over all rows may lie far below the limit while that of one class does not."""
    place.record = record(claim)
    with pytest.raises(
        RecipeError,
        match=f"--certify proves one claim .*, and this certificate claims {claim.kind}( of another loss)?;",
    ):
        place.feed(place.write("a.csv", FINE), aim="certify")
    assert not place.path.exists()


@pytest.mark.parametrize(
    ("claim", "measure"),
    [(DROP, "accuracy drop"), (RISK, "error rate"), (Claim("disagreement", "0.02", "0.05"), "disagreement")],
)
def test_an_anytime_certificate_proves_every_claim_that_answers_tell_whole(claim, measure):
    (watch,) = watches_of(record(claim), None, "certify")
    assert (watch.measure, watch.evidence.limit) == (measure, claim.tolerance)


def test_a_proof_that_was_begun_of_less_than_the_claim_is_not_continued(place):
    place.feed(place.write("a.csv", FINE), aim="certify")
    place.record = record(WORST)
    with pytest.raises(RecipeError, match="--certify proves one claim"):
        place.feed(aim="certify")


def test_the_report_says_how_much_evidence_there_is(place):
    assert lines(resume(place.path, place.record, SHA256, Wishes())) == [
        "evidence that it does not hold any more, of which 20 would be enough:",
        "  accuracy drop, limit 0.02: 1 now, 1 at most so far; 0 rows",
    ]
    found = place.feed(place.write("a.csv", *(99 * [FINE]), HARMED))
    evidence = found.watches[0].evidence
    assert lines(found)[1] == (
        f"  accuracy drop, limit 0.02: {evidence.wealth:.3g} now, {evidence.peak:.3g} at most so far; 100 rows, mean "
        "0.01000"
    )
    assert facts(found)["watches"] == [
        {
            "measure": "accuracy drop",
            "limit": "0.02",
            "n_rows": 100,
            "mean": 0.01,
            "evidence": evidence.wealth,
            "largest_evidence": evidence.peak,
            "enough": 20.0,
        }
    ]
