"""A printed command works in the shell in which it was printed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sentei.cli.typed import program

HERE = Path(sys.executable).parent


def version(typed):
    return subprocess.run(["sh", "-c", f"{typed} --version"], capture_output=True, text=True).stdout


@pytest.mark.parametrize("folder", [HERE, HERE.parent, Path("/")], ids=["beside it", "above it", "elsewhere"])
@pytest.mark.parametrize("path", ["/usr/bin:/bin", f"{HERE}:/usr/bin:/bin"], ids=["not activated", "activated"])
def test_what_is_typed_runs_the_program_beside_this_python(monkeypatch, folder, path):
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PATH", path)
    typed = program("sentei")
    assert version(typed).startswith("sentei, version ")
    assert (typed == "sentei") == (str(HERE) in path)
    assert len(typed) <= len(str(HERE / "sentei"))


def test_another_program_of_that_name_is_not_meant(monkeypatch, tmp_path):
    (tmp_path / "sentei").write_text("#!/bin/sh\necho another\n")
    (tmp_path / "sentei").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert version("sentei") == "another\n"
    assert version(program("sentei")).startswith("sentei, version ")


def test_a_program_that_is_not_beside_this_python_is_left_to_the_shell():
    assert program("no-such-program") == "no-such-program"
