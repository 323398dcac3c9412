"""Fetching over real HTTP on this machine: whole, damaged, silent, and by several at once."""

import gzip
import hashlib
import http.server
import json
import socket
import struct
import subprocess
import sys
import threading
from functools import partial

import pytest

from sentei.errors import DataError
from sentei.sources import debian, default_data_dir, fashion_mnist, fetch, load, locate
from sentei.sources.mirrors import from_mirrors

RAW = {
    "train-images-idx3-ubyte": struct.pack(">HBBIII", 0, 8, 3, 3, 2, 2) + bytes(range(12)),
    "train-labels-idx1-ubyte": struct.pack(">HBBI", 0, 8, 1, 3) + bytes([0, 5, 9]),
    "t10k-images-idx3-ubyte": struct.pack(">HBBIII", 0, 8, 3, 1, 2, 2) + bytes(4),
    "t10k-labels-idx1-ubyte": struct.pack(">HBBI", 0, 8, 1, 1) + bytes([7]),
}


def packed(data):
    """Without the time, which would stand in the names of tests and differ from worker to worker."""
    return gzip.compress(data, mtime=0)


PACKED = {name: packed(data) for name, data in RAW.items()}


@pytest.fixture(autouse=True)
def small(monkeypatch, tmp_path):
    """Four small files stand for the real ones; nothing of this machine is seen."""
    monkeypatch.setattr(fashion_mnist, "MD5", {name: hashlib.md5(data).hexdigest() for name, data in RAW.items()})
    monkeypatch.setattr(sys.modules["sentei.sources.fetch"], "SYSTEM_FOLDERS", (tmp_path / "system",))
    monkeypatch.delenv("SENTEI_DATA_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def mirror(tmp_path):
    """A folder, and the address at which it is served."""
    served = tmp_path / "mirror"
    fill(served)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=served))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield served, f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join()


def fill(folder, files=None, ending=".gz"):
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in (PACKED if files is None else files).items():
        (folder / f"{name}{ending}").write_bytes(data)
    return folder


def over(*addresses, answer_s=5.0):
    return {"the mirrors": partial(from_mirrors, addresses, tuple(RAW), answer_s)}


@pytest.mark.parametrize("inner", ["", "fashion-mnist", "FashionMNIST/raw"])
@pytest.mark.parametrize(("files", "ending"), [(PACKED, ".gz"), (RAW, "")])
def test_a_data_dir_that_holds_the_files_is_used_as_it_is(tmp_path, inner, files, ending):
    folder = fill(tmp_path / "data" / inner, files, ending)
    assert locate("fashion-mnist", tmp_path / "data") == folder
    assert fetch("fashion-mnist", tmp_path / "data", {}) == folder
    table = load({"source": "fashion-mnist"}, data_dir=tmp_path / "data")
    assert table.inputs.ravel().tolist() == [*range(12), 0, 0, 0, 0]
    assert table.labels.tolist() == [0, 5, 9, 7]
    assert table.is_test.tolist() == [False, False, False, True]
    assert table.class_names[9] == "Ankle boot"


def test_the_environment_names_the_data_dir(tmp_path, monkeypatch):
    assert default_data_dir() == tmp_path / "cache" / "sentei" / "data"
    monkeypatch.setenv("SENTEI_DATA_DIR", str(tmp_path / "mine"))
    assert default_data_dir() == tmp_path / "mine"
    assert locate("fashion-mnist") is None
    assert locate("fashion-mnist", fill(tmp_path / "other")) == tmp_path / "other"
    assert locate("fashion-mnist") is None
    fill(tmp_path / "mine")
    assert locate("fashion-mnist") == tmp_path / "mine"


def test_the_systems_folder_comes_after_the_data_dir(tmp_path):
    fill(tmp_path / "system")
    assert locate("fashion-mnist", tmp_path / "data") == tmp_path / "system"
    fill(tmp_path / "data")
    assert locate("fashion-mnist", tmp_path / "data") == tmp_path / "data"


def test_a_mirror_fills_the_data_dir_and_leaves_nothing_else(tmp_path, mirror):
    folder = fetch("fashion-mnist", tmp_path / "data", over(mirror[1]))
    assert folder == tmp_path / "data" / "fashion-mnist"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {f"{n}.gz": d for n, d in PACKED.items()}
    assert fetch("fashion-mnist", tmp_path / "data", {}) == folder


def test_the_second_mirror_serves_when_the_first_lacks_a_file(tmp_path, mirror):
    folder = fetch("fashion-mnist", tmp_path / "data", over(mirror[1] + "nowhere/", mirror[1]))
    assert locate("fashion-mnist", tmp_path / "data") == folder


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("train-labels-idx1-ubyte", packed(b"another file"), "train-labels-idx1-ubyte has MD5 .* expected"),
        ("t10k-images-idx3-ubyte", PACKED["t10k-images-idx3-ubyte"][:-6], "t10k-images-idx3-ubyte is damaged"),
        ("t10k-labels-idx1-ubyte", b"<html>Sign in to this network</html>", "t10k-labels-idx1-ubyte is damaged"),
        ("t10k-labels-idx1-ubyte", b"", "t10k-labels-idx1-ubyte"),
    ],
)
def test_a_file_with_another_checksum_is_refused_and_nothing_is_kept(tmp_path, mirror, name, data, message):
    fill(mirror[0], {name: data})
    with pytest.raises(DataError, match=message):
        fetch("fashion-mnist", tmp_path / "data", over(mirror[1]))
    assert not (tmp_path / "data").exists()


def test_a_damaged_file_in_the_data_dir_is_replaced(tmp_path, mirror):
    folder = fill(tmp_path / "data" / "fashion-mnist")
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(b"damaged")
    (folder / "t10k-labels-idx1-ubyte").write_bytes(b"damaged")
    assert locate("fashion-mnist", tmp_path / "data") is None
    assert fetch("fashion-mnist", tmp_path / "data", over(mirror[1])) == folder
    assert locate("fashion-mnist", tmp_path / "data") == folder


def test_a_server_that_never_answers_is_given_up(tmp_path):
    """The connection is accepted by the system's backlog and then nothing comes."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        with pytest.raises(DataError, match=f"{address}.*timed out"):
            fetch("fashion-mnist", tmp_path / "data", over(address, answer_s=0.2))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"HTTP/1.0 200 OK\r\nContent-Length: 100\r\n\r\nonly this", "ended 91 bytes early|IncompleteRead"),
        (b"HTTP/1.0 500 Broken\r\n\r\n", "500"),
        (b"something else\r\n\r\n", "something else"),
    ],
)
def test_an_answer_that_is_cut_or_wrong_is_told(answer, message):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def reply():
            connection, _ = server.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(answer)

        thread = threading.Thread(target=reply)
        thread.start()
        with pytest.raises(DataError, match=message):
            from_mirrors([f"http://127.0.0.1:{server.getsockname()[1]}/"], ["file"])
        thread.join()


def test_a_file_that_trickles_is_given_up(mirror):
    with pytest.raises(DataError, match=r"did not arrive within 0\.0 s"):
        from_mirrors([mirror[1]], tuple(RAW), whole_file_s=0.0)


def test_when_everything_fails_every_place_and_reason_is_told(tmp_path, mirror):
    fill(tmp_path / "data", {"train-images-idx3-ubyte": PACKED["train-images-idx3-ubyte"]})

    def broken():
        raise DataError("there is no apt-get on this machine")

    with pytest.raises(DataError) as caught:
        fetch("fashion-mnist", tmp_path / "data", {**over(mirror[1] + "nowhere/"), "Debian's package": broken})
    told = str(caught.value)
    for part in (
        f"{tmp_path}/data: holds neither train-labels-idx1-ubyte nor train-labels-idx1-ubyte.gz",
        f"{tmp_path}/data/fashion-mnist: there is no such folder",
        f"{tmp_path}/data/FashionMNIST/raw: there is no such folder",
        f"{tmp_path}/system: there is no such folder",
        f"the mirrors: {mirror[1]}nowhere/: HTTP Error 404",
        "Debian's package: there is no apt-get on this machine",
        "--data-dir or SENTEI_DATA_DIR",
    ):
        assert part in told


def test_a_folder_that_cannot_be_written_is_told(tmp_path, mirror):
    (tmp_path / "data").write_text("a file, not a folder")
    with pytest.raises(DataError, match=r"cannot write .*choose another place with --data-dir"):
        fetch("fashion-mnist", tmp_path / "data", over(mirror[1]))


def test_another_data_set_cannot_be_fetched():
    for ask in (fetch, locate):
        with pytest.raises(DataError, match=r"can be fetched \(fashion-mnist\), received 'imagenet'"):
            ask("imagenet")


FETCH_AGAIN_AND_AGAIN = """
import json, pathlib, sys
from sentei.sources import fashion_mnist, fetch
from sentei.sources.mirrors import from_mirrors
folder, address, fashion_mnist.MD5 = pathlib.Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
for _ in range(20):
    for path in (folder / "fashion-mnist").glob("train*.gz"):
        path.unlink(missing_ok=True)
    fetch("fashion-mnist", folder, {"mirror": lambda: from_mirrors([address], tuple(fashion_mnist.MD5))})
"""


def test_several_processes_may_fetch_at_once(tmp_path, mirror):
    """Three processes remove and fetch the same files 20 times each; every file that stands in the end is whole."""
    arguments = [str(tmp_path / "data"), mirror[1], json.dumps(fashion_mnist.MD5)]
    workers = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", FETCH_AGAIN_AND_AGAIN, *arguments], stderr=subprocess.PIPE
        )
        for _ in range(3)
    ]
    assert [worker.communicate()[1] for worker in workers] == [b"", b"", b""]
    folder = fetch("fashion-mnist", tmp_path / "data", over(mirror[1]))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {f"{n}.gz": d for n, d in PACKED.items()}


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """A folder that is the whole PATH; programs written into it are the only ones there are."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def write(name, script):
        (folder / name).write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{script}\n")
        (folder / name).chmod(0o755)

    return write


def test_debians_way_says_which_program_is_missing(programs):
    with pytest.raises(DataError, match="there is no apt-get on this machine"):
        debian.from_package()
    programs("apt-get", "exit 0")
    with pytest.raises(DataError, match="there is no dpkg-deb on this machine"):
        debian.from_package()


def test_debians_way_tries_fresh_lists_and_tells_both_reasons(programs):
    programs("apt-get", 'echo "E: no package for $#" >&2; exit 100')
    programs("dpkg-deb", "exit 1")
    with pytest.raises(
        DataError, match=r"by the machine's package lists: .*E: no package.*; by fresh ones: .*update: E:"
    ):
        debian.from_package()


def test_debians_way_hands_on_what_the_package_holds(programs, tmp_path):
    """The machine's own lists know no package, fresh ones do; apt-get and dpkg-deb are scripts that act so."""
    fill(tmp_path / "packed")
    programs("apt-get", 'case "$*" in *Dir::State*download*) : > one.deb;; *update) ;; *) exit 100;; esac')
    where = fashion_mnist.DEBIAN_FOLDER.lstrip("/")
    programs("dpkg-deb", f'mkdir -p "$3/{where}" && cp {tmp_path}/packed/* "$3/{where}"')
    assert debian.from_package() == PACKED
    folder = fetch("fashion-mnist", tmp_path / "data", {"Debian's package": debian.from_package})
    assert locate("fashion-mnist", tmp_path / "data") == folder


def test_fetching_what_is_there_imports_neither_torch_nor_torchvision(tmp_path):
    code = "import sys, sentei.sources as s; s.locate('fashion-mnist'); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
