"""A sharded data set gives the rows that went into it, whatever happens to its files in between."""

import hashlib
import json
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from sentei.data import Preprocessing, Table, content_digests, split, split_digest
from sentei.errors import DataError
from sentei.sources import load
from sentei.sources.shards.disk import Disk
from sentei.sources.shards.format import INDEX, parse_index
from sentei.sources.shards.objects import Folder
from sentei.sources.shards.reading import open_shards
from sentei.sources.shards.writing import write_shards

N_ROWS, PER_SHARD = 50, 8
SIZES = {"train": "rest", "scoring": 5, "selection": 6, "calibration": 7, "test": 4}


class Remote(Folder):
    """Files that have to be fetched, which is counted."""

    def __init__(self, path):
        super().__init__(path)
        self.fetched, self.ranges = [], []

    def local(self, name):
        return None

    def fetch(self, name, path):
        self.fetched.append(name)
        super().fetch(name, path)

    def read(self, name, start, stop):
        self.ranges.append((name, start, stop))
        return super().read(name, start, stop)


def pictures(dtype=np.uint8):
    rng = np.random.default_rng(7)
    inputs = rng.integers(0, 256, (N_ROWS, 3, 4, 5)).astype(dtype)
    labels = rng.integers(0, 3, N_ROWS)
    return Table.of(inputs, labels, "pictures", class_names=("a", "b", "c"), is_test=np.arange(N_ROWS) > 40)


@pytest.fixture
def place(tmp_path):
    write_shards(pictures(), Folder(tmp_path / "shards"), PER_SHARD)
    return tmp_path / "shards"


def opened(place, tmp_path, **settings):
    remote = Remote(place)
    return open_shards(remote, "here", Disk(tmp_path / "disk", **settings)), remote


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_rows_labels_and_names_come_back(tmp_path, dtype):
    table = pictures(dtype)
    write_shards(table, Folder(tmp_path / "here"), PER_SHARD)
    found = load({"source": "shards", "path": str(tmp_path / "here")})

    assert found.inputs.shape == table.inputs.shape
    assert found.inputs.dtype == dtype
    assert (found.inputs[:] == table.inputs).all()
    assert (found.labels.tolist(), found.is_test.tolist()) == (table.labels.tolist(), table.is_test.tolist())
    assert (found.n_classes, found.class_names, found.name) == (3, ("a", "b", "c"), "pictures")


def test_masks_come_back(tmp_path):
    drawn = load({"source": "shapes", "limit": 5})
    write_shards(drawn, Folder(tmp_path / "here"), 2)
    found = load({"source": "shards", "path": str(tmp_path / "here")})
    assert found.task == "segmentation"
    assert (found.labels == drawn.labels).all()


def test_any_index_of_the_first_axis_gives_what_an_array_gives(place, tmp_path):
    table, _ = opened(place, tmp_path)
    expected = pictures().inputs
    for key in (3, -1, slice(5, 21), slice(None, None, 7), np.array([49, 0, 0, 13]), np.arange(N_ROWS) % 2 == 0):
        assert (table.inputs[key] == expected[key]).all()
    with pytest.raises(TypeError, match="first axis alone"):
        table.inputs[:, 0]


def test_streamed_rows_never_become_one_array_by_accident(place, tmp_path):
    table, _ = opened(place, tmp_path)
    with pytest.raises(TypeError, match="50 streamed rows shall not come into memory at once"):
        np.asarray(table.inputs)


def test_splits_and_digests_are_those_of_the_rows_in_memory_and_read_no_row(place, tmp_path):
    table, remote = opened(place, tmp_path)
    remote.fetched.clear()
    whole = pictures()
    for seed in (0, 1):
        some, others = split(table, SIZES, seed), split(whole, SIZES, seed)
        for name in SIZES:
            assert (some.rows[name] == others.rows[name]).all()
            assert split_digest(some.take(table, name)) == split_digest(others.take(whole, name))
    assert (content_digests(table.inputs) == content_digests(whole.inputs)).all()
    assert (remote.fetched, remote.ranges) == ([], [])


def test_duplicates_are_refused_without_reading_a_row(tmp_path):
    table = pictures()
    table.inputs[11] = table.inputs[30]
    write_shards(table, Folder(tmp_path / "here"), PER_SHARD)
    found, remote = opened(tmp_path / "here", tmp_path)
    remote.fetched.clear()
    with pytest.raises(DataError, match="share no content, received"):
        split(found, SIZES, seed=0)
    assert (remote.fetched, remote.ranges) == ([], [])


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_preprocessing_is_that_of_the_rows_in_memory(tmp_path, dtype):
    """Of bytes it follows from sums that stand beside the labels; of floats the rows are read once."""
    whole = pictures(dtype)
    write_shards(whole, Folder(tmp_path / "here"), PER_SHARD)
    table, remote = opened(tmp_path / "here", tmp_path)
    remote.fetched.clear()
    dealt = split(whole, SIZES, 3)
    assert Preprocessing.of(dealt.take(table, "train")) == Preprocessing.of(dealt.take(whole, "train"))
    holds_some = {int(row) // PER_SHARD for row in dealt.rows["train"]}
    assert len(remote.fetched) == len(set(remote.fetched)) == (0 if dtype == np.uint8 else len(holds_some))


def test_rows_here_and_there_are_read_alone_and_neighbours_together(tmp_path):
    write_shards(pictures(), Folder(tmp_path / "here"), 25)
    table, remote = opened(tmp_path / "here", tmp_path)
    remote.fetched.clear()
    rows = table.inputs[np.array([30, 9, 31, 30])]
    assert (rows == pictures().inputs[[30, 9, 31, 30]]).all()
    shards = parse_index((tmp_path / "here" / INDEX).read_bytes(), "here").shards
    size = 3 * 4 * 5
    header = shards[0].bytes - 25 * size
    spans = [
        (shards[0].name, header + 9 * size, header + 10 * size),
        (shards[1].name, header + 5 * size, header + 7 * size),
    ]
    assert (remote.ranges, remote.fetched) == (spans, [])


def test_an_order_that_is_announced_fetches_every_shard_once(place, tmp_path, monkeypatch):
    monkeypatch.setenv("SENTEI_ROWS_IN_MEMORY", str(3 * 700))
    table, remote = opened(place, tmp_path)
    assert table.inputs.store.parts_at_once == 3
    order = np.random.default_rng(0).permutation(24)
    with table.inputs.following(order):
        for start in range(0, 24, 4):
            part = order[start : start + 4]
            assert (table.inputs[part] == pictures().inputs[part]).all()
    assert remote.ranges == []
    assert sorted(remote.fetched[2:]) == sorted(
        one.name for one in parse_index((place / INDEX).read_bytes(), "").shards[:3]
    )


def test_fetched_shards_stay_below_the_limit_and_the_oldest_goes_first(place, tmp_path):
    shards = parse_index((place / INDEX).read_bytes(), "here").shards
    disk = Disk(tmp_path / "disk", limit=2 * shards[0].bytes)
    folder = Folder(place)
    for one in shards[:2]:
        disk.path(one, lambda to, one=one: folder.fetch(one.name, to))
    disk.path(shards[0], lambda to: pytest.fail("it is there"))
    disk.path(shards[2], lambda to: folder.fetch(shards[2].name, to))
    assert sorted(path.name for path in (tmp_path / "disk").iterdir()) == sorted(shards[i].sha256 for i in (0, 2))
    with pytest.raises(DataError, match="allow more, or write smaller shards"):
        Disk(tmp_path / "disk", limit=10).path(shards[1], lambda to: pytest.fail("there is no room"))


def test_a_damaged_copy_on_this_disk_is_refused_and_then_fetched_anew(place, tmp_path):
    table, _ = opened(place, tmp_path)
    shard = parse_index((place / INDEX).read_bytes(), "here").shards[0]
    table.inputs[:8]
    copy = tmp_path / "disk" / shard.sha256
    data = bytearray(copy.read_bytes())
    data[-1] ^= 1
    copy.write_bytes(data)
    again, _ = opened(place, tmp_path)
    with pytest.raises(DataError, match=f"{shard.name}: expected 8 rows with the digests that the index holds"):
        again.inputs[:8]
    assert (again.inputs[:8] == pictures().inputs[:8]).all()


@pytest.mark.parametrize("rows", [slice(0, 8), slice(7, 8)])
def test_a_damaged_shard_is_refused_whole_or_by_one_row(place, tmp_path, rows):
    shard = parse_index((place / INDEX).read_bytes(), "here").shards[0]
    data = bytearray((place / shard.name).read_bytes())
    data[-1] ^= 1
    (place / shard.name).write_bytes(data)
    for table in (opened(place, tmp_path)[0], load({"source": "shards", "path": str(place)})):
        with pytest.raises(DataError, match=shard.name):
            table.inputs[rows]
    assert (load({"source": "shards", "path": str(place)}).inputs[6:7] == pictures().inputs[6]).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda index: index | {"format": "sentei.shards/2"}, "received format: Input should be 'sentei.shards/1'"),
        (lambda index: index | {"extra": 1}, "received extra"),
        (lambda index: index | {"shape": [0]}, "received shape.0"),
        (lambda index: index | {"shape": [3, 4, 6]}, "as many bytes as their rows take, received"),
        (lambda index: index | {"shards": index["shards"][:1] * 2}, "a name twice"),
        (lambda index: index | {"shards": [index["shards"][0] | {"name": "../secret"}]}, r"shards\.0\.name"),
        (lambda index: index | {"shards": index["shards"][:-1]}, "expected labels for 48 rows"),
        (lambda index: index | {"rows": index["rows"] | {"sha256": "0" * 64}}, "SHA-256 000000000000, received"),
    ],
)
def test_an_index_that_does_not_fit_is_refused(place, change, message):
    (place / INDEX).write_text(json.dumps(change(json.loads((place / INDEX).read_text()))))
    with pytest.raises(DataError, match=message):
        load({"source": "shards", "path": str(place)})


def test_a_folder_without_an_index_says_what_to_do(tmp_path):
    with pytest.raises(DataError, match=r"expected the file index\.json .* write the data set with sentei data shard"):
        load({"source": "shards", "path": str(tmp_path)})
    with pytest.raises(DataError, match="this call cannot reach it"):
        load({"source": "shards", "path": "s3://bucket/prefix"}, open_uri=lambda uri: tmp_path)


def test_writing_again_writes_nothing_and_gives_the_same_bytes(place):
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in place.iterdir() if path.name != INDEX}
    said = []
    write_shards(pictures(), Folder(place), PER_SHARD, lambda shard, written: said.append(written))
    after = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in place.iterdir() if path.name != INDEX}
    assert before == after
    assert said == [False] * 7


def test_a_writing_that_ended_early_goes_on_and_shows_no_index_before_its_end(tmp_path):
    def kill(shard, written):
        if shard.name.startswith("shard-00003"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_shards(pictures(), Folder(tmp_path), PER_SHARD, kill)
    assert not (tmp_path / INDEX).exists()
    said = []
    write_shards(pictures(), Folder(tmp_path), PER_SHARD, lambda shard, written: said.append(written))
    assert said == [False] * 4 + [True] * 3
    assert (load({"source": "shards", "path": str(tmp_path)}).inputs[:] == pictures().inputs).all()


def test_another_data_set_is_left_as_it_is(place):
    before = {path.name: path.read_bytes() for path in place.iterdir()}
    with pytest.raises(DataError, match="another data set, pictures, stands there; choose another place"):
        write_shards(pictures(np.float32), Folder(place), PER_SHARD)
    assert before == {path.name: path.read_bytes() for path in place.iterdir()}


def test_a_shard_is_a_plain_array_that_anything_reads(place):
    shard = parse_index((place / INDEX).read_bytes(), "here").shards[6]
    data = (place / shard.name).read_bytes()
    assert hashlib.sha256(data).hexdigest() == shard.sha256
    assert (np.load(place / shard.name) == pictures().inputs[48:]).all()
    assert data.endswith(pictures().inputs[48:].tobytes())


def test_images_are_sharded_without_being_in_memory_together(tmp_path):
    """120 images of 64 kB are 7.9 MB; shards of ten are 0.7 MB, and nothing holds more than a few of these."""
    rng = np.random.default_rng(1)
    for name in ("cats", "dogs"):
        (tmp_path / "images" / name).mkdir(parents=True)
        for number in range(60):
            picture = Image.fromarray(rng.integers(0, 256, (148, 148, 3), np.uint8))
            picture.save(tmp_path / "images" / name / f"{number:03}.png", compress_level=0)
    spec = {"source": "images", "path": str(tmp_path / "images"), "size": [148, 148]}
    tracemalloc.start()
    write_shards(load(spec, stream=True), Folder(tmp_path / "shards"), 10)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 0.6 * 120 * 148 * 148 * 3
    found = load({"source": "shards", "path": str(tmp_path / "shards")})
    assert (found.inputs[:] == load(spec).inputs).all()
    assert found.class_names == ("cats", "dogs")
