"""Folders of images beside folders of masks, drawn for the test."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from sentei.errors import DataError
from sentei.sources import load

SPEC = {"source": "masks", "size": [2, 3], "channels": 1}
CLASSES = np.array([[0, 1, 2], [255, 2, 0]], np.uint8)


def put(path, picture):
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)


def pair(folder, name, value=7, classes=CLASSES):
    put(folder / f"images/{name}.png", Image.new("L", classes.shape[::-1], value))
    put(folder / f"masks/{name}.png", Image.fromarray(classes))


@pytest.fixture
def scenes(tmp_path):
    pair(tmp_path, "b", 20)
    pair(tmp_path, "a", 10)
    return tmp_path


def read(folder, **changes):
    return load({**SPEC, "path": str(folder), **changes})


def test_an_image_and_its_mask_have_one_name(scenes):
    (scenes / "images/b.png").unlink()
    put(scenes / "images/b.bmp", Image.new("L", (3, 2), 20))
    table = read(scenes)
    assert table.inputs[:, 0, 0, 0].tolist() == [10, 20]
    assert table.labels.tolist() == [CLASSES.tolist()] * 2
    assert (table.n_classes, table.class_names, table.is_test.any()) == (3, ("0", "1", "2"), np.False_)
    assert read(scenes, n_classes=21).n_classes == 21


def test_the_folders_train_and_test_are_parts_and_a_limit_is_of_each(tmp_path):
    for part, names in {"train": "ab", "test": "cd"}.items():
        for name in names:
            pair(tmp_path / part, name, ord(name))
    assert read(tmp_path).is_test.tolist() == [False, False, True, True]
    first = read(tmp_path, limit=1)
    assert first.inputs[:, 0, 0, 0].tolist() == [ord("a"), ord("c")]


def test_folders_inside_and_hidden_files(scenes):
    pair(scenes, "deep/a", 30)
    (scenes / "masks/.index").write_bytes(b"")
    assert read(scenes).inputs[:, 0, 0, 0].tolist() == [10, 20, 30]


def palette(classes):
    picture = Image.fromarray(classes, "L").convert("P")
    picture.putdata(classes.ravel().tolist())
    picture.putpalette([value for index in range(256) for value in (255 - index, 7, index)])
    return picture


def test_a_palette_is_read_by_its_numbers_and_not_by_its_colours(scenes):
    put(scenes / "masks/a.png", palette(CLASSES))
    assert read(scenes).labels.tolist() == [CLASSES.tolist()] * 2


def test_black_and_white_is_0_and_1(scenes):
    put(scenes / "masks/a.png", Image.fromarray(CLASSES == 2))
    assert read(scenes).labels[0].tolist() == (CLASSES == 2).astype(int).tolist()


def test_other_sizes_keep_whole_classes(scenes):
    pair(scenes, "a", 10, np.kron(CLASSES, np.ones((4, 4), np.uint8)))
    assert read(scenes).labels[0].tolist() == CLASSES.tolist()
    assert set(np.unique(read(scenes, size=[7, 5]).labels)) <= {0, 1, 2, 255}


@pytest.mark.parametrize(
    ("picture", "said"),
    [
        (Image.new("RGB", (3, 2)), "mode RGB is not one channel of classes"),
        (Image.fromarray(np.zeros((2, 3), np.uint16)), "mode I;16 is not one channel"),
        (Image.new("LA", (3, 2)), "mode LA is not"),
    ],
)
def test_a_mask_is_one_channel_of_bytes(scenes, picture, said):
    put(scenes / "masks/a.png", picture)
    with pytest.raises(DataError, match=rf"masks/a\.png: expected a mask, a PNG whose values are classes.*{said}"):
        read(scenes)


def test_grey_values_of_few_bits_would_be_spread_and_are_refused(scenes):
    """Four grey levels in 2 bits: a decoder gives 0, 85, 170 and 255 for the classes 0, 1, 2 and 3."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 3, 2, 2, 0, 0, 0, 0)
    rows = zlib.compress(b"\0\x1b\0\x1b")
    path = scenes / "masks/a.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b""))
    with pytest.raises(DataError, match="fewer than 8 bits are not classes"):
        read(scenes)


def test_a_mask_that_was_compressed_with_loss_is_refused(scenes):
    (scenes / "masks/a.png").unlink()
    put(scenes / "masks/a.jpg", Image.fromarray(CLASSES))
    with pytest.raises(DataError, match=r"masks/a\.jpg: expected a mask, a PNG"):
        read(scenes)


def test_an_image_and_its_mask_have_one_size(scenes):
    put(scenes / "masks/a.png", Image.fromarray(CLASSES.T.copy()))
    with pytest.raises(DataError, match=r"masks/a\.png: expected the size of its image \(3, 2\), received \(2, 3\)"):
        read(scenes)


def test_what_has_no_counterpart_is_named(scenes):
    (scenes / "masks/b.png").unlink()
    put(scenes / "masks/c.png", Image.fromarray(CLASSES))
    with pytest.raises(DataError, match="2 stand in only one of images and masks: b, c"):
        read(scenes)


def test_two_images_of_one_name_are_refused(scenes):
    put(scenes / "images/a.bmp", Image.new("L", (3, 2)))
    with pytest.raises(DataError, match=r"a\.png: expected one file named a, a\.bmp is another"):
        read(scenes)


@pytest.mark.parametrize("missing", ["images", "masks"])
def test_both_folders_must_be_there(tmp_path, missing):
    pair(tmp_path, "a")
    (tmp_path / missing).rename(tmp_path / "elsewhere")
    with pytest.raises(DataError, match=f"{missing}: expected a folder of pictures, found none"):
        read(tmp_path)


def test_a_class_beyond_those_told_is_refused_by_its_row(scenes):
    with pytest.raises(DataError, match=r"classes from 0 \(background\) to 1, received 2 in row 0 and 2 such rows"):
        read(scenes, n_classes=2)


@pytest.mark.parametrize(("change", "message"), [({"size": None}, "masks: size"), ({"channels": 2}, "masks: channels")])
def test_what_the_pictures_shall_become_must_be_said(scenes, change, message):
    with pytest.raises(DataError, match=message):
        read(scenes, **change)
