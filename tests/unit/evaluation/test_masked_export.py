"""A masked network's file: the same from every process, its zeros in sight, and no word of where it was made."""

import os
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
import torch

import sentei
from tests.unit.evaluation import masked_export


@pytest.fixture(scope="module")
def network():
    return masked_export.masked_network()


@pytest.fixture(scope="module")
def content(network):
    return masked_export.exported(network[0])


def test_a_worker_writes_the_same_bytes_without_a_word_and_nothing_beside_them(content, tmp_path):
    """A worker has one thread, hash seeds of its own, and warnings as errors here."""
    program = [sys.executable, "-W", "error", masked_export.__file__, "model.onnx"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "1"}
    said = subprocess.run(program, capture_output=True, text=True, env=environment, cwd=tmp_path)

    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == [tmp_path / "model.onnx"]
    assert (tmp_path / "model.onnx").read_bytes() == content


def test_zeros_are_served_under_the_names_of_their_weights(network, content):
    stored = onnx.load_from_string(content).graph.initializer
    weights = {item.name.removeprefix("net."): onnx.numpy_helper.to_array(item) for item in stored}

    for name, mask in network[1].items():
        assert ((weights[name] == 0) == ~mask.numpy()).all(), name


def test_the_file_is_valid_small_and_silent_about_where_it_was_made(network, content):
    proto = onnx.load_from_string(content)
    onnx.checker.check_model(proto, full_check=True)
    n_weights = sum(parameter.numel() for parameter in network[0].parameters())

    assert len(content) < 4 * n_weights + 15_000  # some seventy nodes, with names
    assert not any(item.metadata_props or item.doc_string for item in (proto, proto.graph, *proto.graph.node))
    for place in (sys.prefix, torch.__path__[0], sentei.__path__[0], str(Path(__file__).parent), "class_hierarchy"):
        assert place.encode() not in content
