"""A pipeline whose ``sentei run`` has ended does not begin."""

import os
import subprocess
import sys


def test_a_runner_whose_parent_ended_before_it_began_ends_at_once_and_says_so(tmp_path):
    """The parent that it was started by is told as an argument; this test is another one."""
    gone = str(os.getppid())
    command = [sys.executable, "-m", "sentei.adapters.kubeflow.runner", str(tmp_path), "key", str(tmp_path), gone]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert f"process {gone}, which started this run, ended before the run began" in done.stderr
    assert list(tmp_path.iterdir()) == []
