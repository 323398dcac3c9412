"""A sealed folder is whole or not there, and nothing in it changes unnoticed."""

import json
import os
import signal
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest

from sentei.certificate.canonical import canonical_json, digest
from sentei.errors import ArtifactError
from sentei.steps import layout


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small"
    with layout.writing(path, "scores", {"dense": "0" * 64}) as draft:
        draft.write("a.bin", b"\x00\xff\x10")
        draft.write("deep/er/b.txt", "é".encode())
        draft.write("empty", b"")
        draft.facts["name"] = "x"
    return path


def flip(path: Path, position: int, bit: int) -> None:
    with path.open("r+b") as file:
        file.seek(position)
        byte = file.read(1)[0]
        file.seek(position)
        file.write(bytes([byte ^ 1 << bit]))


def rewrite(path: Path, **changes: object) -> None:
    """Alter the manifest and give it the digest that fits."""
    body = {**json.loads((path / layout.MANIFEST).read_bytes()), **changes}
    del body["digest"]
    (path / layout.MANIFEST).write_bytes(canonical_json({**body, "digest": digest(body)}))


def test_what_was_written_is_read(small):
    artifact = layout.reading(small, "scores")

    assert set(artifact.files) == {"a.bin", "deep/er/b.txt", "empty"}
    assert artifact.file("deep/er/b.txt").read_text() == "é"
    assert artifact.inputs == {"dense": "0" * 64}
    assert artifact.facts == {"name": "x"}
    assert not artifact.failed
    assert layout.summary(small) == {"name": "x", "status": "ok", "reason": "", "digest": artifact.digest}


def test_equal_content_has_an_equal_digest_wherever_it_stands(small, tmp_path):
    with layout.writing(tmp_path / "elsewhere", "scores", {"dense": "0" * 64}) as draft:
        draft.facts["name"] = "x"
        draft.write("empty", b"")
        draft.write("deep/er/b.txt", "é".encode())
        draft.write("a.bin", b"\x00\xff\x10")
    assert layout.reading(tmp_path / "elsewhere").digest == layout.reading(small).digest


def test_every_flipped_bit_of_every_byte_is_refused_and_its_file_named(tmp_path):
    tiny = tmp_path / "tiny"
    with layout.writing(tiny, "scores") as draft:
        draft.write("a/b", b"\x00\xff")
    n_flips = 0
    for path in (tiny / "a/b", tiny / layout.MANIFEST):
        for position, bit in product(range(path.stat().st_size), range(8)):
            flip(path, position, bit)
            with pytest.raises(ArtifactError) as caught:
                layout.reading(tiny)
            assert str(path) in str(caught.value)
            flip(path, position, bit)
            n_flips += 1
    layout.reading(tiny)
    assert n_flips > 8 * 200


@pytest.mark.parametrize("name", ["a.bin", "deep/er/b.txt", "manifest.json"])
def test_a_file_cut_short_or_made_longer_is_refused(small, name):
    whole = (small / name).read_bytes()
    for altered in (whole[:-1], whole + b"\n", b""):
        (small / name).write_bytes(altered)
        with pytest.raises(ArtifactError, match=name):
            layout.reading(small)


@pytest.mark.parametrize("name", ["a.bin", "deep/er/b.txt", "empty"])
def test_a_missing_file_is_named(small, name):
    (small / name).unlink()
    with pytest.raises(ArtifactError, match=f"{name}: the file is missing since"):
        layout.reading(small)


@pytest.mark.parametrize("name", ["new", "deep/new", "deep/manifest.json", ".hidden"])
def test_an_added_file_is_named(small, name):
    (small / name).write_bytes(b"")
    with pytest.raises(ArtifactError, match=f"{name}: the file was added since"):
        layout.reading(small)


@pytest.mark.parametrize("name", ["a.bin", "manifest.json"])
def test_a_link_to_the_very_same_bytes_is_refused(small, tmp_path, name):
    os.rename(small / name, tmp_path / "moved")
    (small / name).symlink_to(tmp_path / "moved")
    with pytest.raises(ArtifactError, match=f"{name}: expected plain files"):
        layout.reading(small)


@pytest.mark.parametrize("target", [".", "nowhere", "deep"])
def test_an_added_link_is_refused(small, target):
    (small / "link").symlink_to(target)
    with pytest.raises(ArtifactError, match="link: expected plain files"):
        layout.reading(small)


def test_a_named_pipe_is_refused_and_not_waited_for(small):
    os.mkfifo(small / "pipe")
    with pytest.raises(ArtifactError, match="pipe: expected plain files"):
        layout.reading(small)


def test_a_draft_with_a_link_is_not_sealed(tmp_path):
    with pytest.raises(ArtifactError, match="link: expected plain files"), layout.writing(tmp_path / "x", "k") as draft:
        draft.file("link").symlink_to("/dev/null")
    assert list(tmp_path.iterdir()) == []


def test_another_kind_is_refused(small):
    with pytest.raises(ArtifactError, match="expected a variant artifact, received scores; check the step's inputs"):
        layout.reading(small, "variant")


def test_a_file_that_the_artifact_lacks_is_told_with_those_it_has(small):
    with pytest.raises(ArtifactError, match=r"expected a scores artifact with model.onnx; it has a.bin, deep"):
        layout.reading(small).file("model.onnx")


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "sentei.artifact/2"},
        {"files": {}},
        {"files": []},
        {"files": {"a.bin": None, "deep/er/b.txt": 1, "empty": ""}},
        {"files": {"../small/a.bin": "0" * 64}},
        {"facts": None},
        {"status": "fine"},
        {"kind": 1},
        {"inputs": "x"},
        {"more": 1},
    ],
)
def test_a_manifest_of_another_shape_is_refused_even_with_a_digest_that_fits(small, changes):
    rewrite(small, **changes)
    with pytest.raises(ArtifactError, match="small"):
        layout.reading(small)


@pytest.mark.parametrize("text", [b"", b"{}\n", b"[]\n", b"null\n", b"\xff\xfe", b'{"digest": "0"}\n', b"[" * 100_000])
def test_what_is_no_manifest_is_refused(small, text):
    (small / layout.MANIFEST).write_bytes(text)
    with pytest.raises(ArtifactError, match=r"manifest\.json: the manifest was altered"):
        layout.read_manifest(small)


def test_without_a_manifest_there_is_no_artifact(tmp_path):
    (tmp_path / "x").mkdir()
    for name in ("x", "y"):
        with pytest.raises(ArtifactError, match="run its step again"):
            layout.reading(tmp_path / name)


def test_an_exception_leaves_nothing_and_an_old_artifact_as_it_was(small, tmp_path):
    before = layout.reading(small).digest
    for name in ("small", "new"):
        with pytest.raises(OSError, match="/nowhere"), layout.writing(tmp_path / name, "scores") as draft:
            draft.write("a.bin", Path("/nowhere").read_bytes())
    assert layout.reading(small).digest == before
    assert [path.name for path in tmp_path.iterdir()] == ["small"]


def test_a_failed_artifact_says_why(tmp_path):
    with layout.writing(tmp_path / "x", "variant") as draft:
        draft.fail("a layer would vanish")
    artifact = layout.reading(tmp_path / "x", "variant")
    assert artifact.failed
    assert artifact.reason == "a layer would vanish"


def test_an_artifact_replaces_the_one_that_stood_there(small):
    with layout.writing(small, "variant") as draft:
        draft.write("only", b"1")
    assert set(layout.reading(small, "variant").files) == {"only"}
    assert [path.name for path in small.parent.iterdir()] == ["small"]


def test_what_a_killed_process_of_the_same_id_left_is_no_obstacle(small):
    for word in ("", "old-"):
        left = small.with_name(f"small{layout.PARTIAL}{word}{os.getpid()}")
        left.mkdir()
        (left / "half").write_bytes(b"1")
    with layout.writing(small, "variant") as draft:
        draft.write("only", b"1")
    assert set(layout.reading(small).files) == {"only"}
    assert [path.name for path in small.parent.iterdir()] == ["small"]


# One process for each moment, which ends itself at that call of the functions by which an artifact comes to be. They
# are forked from a process without threads, because starting as many interpreters takes long.
KILLED = """
import os, signal, sys
from pathlib import Path
from sentei.steps import layout

def watched(function):
    def call(*args, **kwargs):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL) if sys.argv[2] == "kill" else os._exit(1)
        return function(*args, **kwargs)
    return call

def write(path):
    watch = (os, "rename"), (os, "fsync"), (Path, "write_bytes"), (Path, "mkdir"), (layout.shutil, "rmtree")
    for owner, name in watch:
        setattr(owner, name, watched(getattr(owner, name)))
    with layout.writing(path, "scores") as draft:
        draft.write("a.bin", b"new")
        draft.write("deep/b.bin", b"newer")

for path in sorted(Path(sys.argv[1]).iterdir()):
    left = int(path.name)
    child = os.fork()
    if child == 0:
        write(path / "x")
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.parametrize(("how", "code"), [("kill", -signal.SIGKILL), ("exit", 1)])
@pytest.mark.parametrize("old", [False, True])
def test_a_process_killed_at_any_moment_leaves_a_whole_artifact_or_none(tmp_path, how, code, old):
    moments = [tmp_path / f"{moment:02}" for moment in range(1, 25)]
    for path in moments:
        path.mkdir()
        if old:
            with layout.writing(path / "x", "scores") as draft:
                draft.write("a.bin", b"old")

    ran = subprocess.run([sys.executable, "-c", KILLED, tmp_path, how], capture_output=True, check=True, text=True)

    codes = [int(line) for line in ran.stdout.split()]
    n_killed = codes.index(0)
    assert codes == [code] * n_killed + [0] * (24 - n_killed)
    assert n_killed >= 10
    found = [_content(path / "x") for path in moments]
    assert set(found[:n_killed]) <= ({None, b"old", b"new"} if old else {None, b"new"})
    assert set(found[n_killed:]) == {b"new"}
    layout.sweep(tmp_path)
    assert {left.name for path in moments for left in path.iterdir()} == {"x"}


def _content(path: Path) -> bytes | None:
    return layout.reading(path, "scores").file("a.bin").read_bytes() if path.exists() else None


STOPPED = """
import sys
from sentei.steps import layout
with layout.writing(sys.argv[1], "scores") as draft:
    draft.write("a.bin", b"new")
    print("here", flush=True)
    sys.stdin.read()
"""


def test_a_process_killed_from_outside_leaves_nothing_that_is_read(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", STOPPED, tmp_path / "x"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with process:
        assert process.stdout.readline() == b"here\n"
        assert (tmp_path / f"x{layout.PARTIAL}{process.pid}" / "a.bin").exists()
        process.send_signal(signal.SIGKILL)
    assert not (tmp_path / "x").exists()
    assert layout.sweep(tmp_path) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_sweep_removes_only_what_is_half_written(small, tmp_path):
    (tmp_path / "a" / f"b{layout.PARTIAL}12").mkdir(parents=True)
    (tmp_path / "partial").mkdir()
    assert layout.sweep(tmp_path) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "partial", "small"]
    layout.reading(small)
