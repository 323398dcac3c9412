"""Image folders drawn for the test."""

import numpy as np
import pytest
from PIL import Image

from sentei.errors import DataError
from sentei.sources import load

SPEC = {"source": "images", "size": [2, 3], "channels": 1}


def draw(folder, name, value, mode="L", size=(3, 2)):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value).save(path)
    return path


@pytest.fixture
def pets(tmp_path):
    draw(tmp_path, "cat/a.png", 10)
    draw(tmp_path, "cat/b.png", 20)
    draw(tmp_path, "cat/deep/c.png", 30)
    draw(tmp_path, "dog/a.png", 40)
    return tmp_path


def test_classes_are_the_folders_and_come_in_turns(pets):
    table = load({**SPEC, "path": str(pets)})
    assert table.class_names == ("cat", "dog")
    assert table.inputs[:, 0, 0, 0].tolist() == [10, 40, 20, 30]
    assert table.labels.tolist() == [0, 1, 0, 0]
    assert table.inputs.shape == (4, 1, 2, 3)
    assert not table.is_test.any()


def test_the_folders_train_and_test_are_parts(tmp_path):
    for name, value in {"train/cat/a.png": 1, "train/dog/a.png": 2, "test/cat/a.png": 3, "test/dog/a.png": 4}.items():
        draw(tmp_path, name, value)
    table = load({**SPEC, "path": str(tmp_path)})
    assert table.inputs[:, 0, 0, 0].tolist() == [1, 2, 3, 4]
    assert table.is_test.tolist() == [False, False, True, True]


def test_images_beside_no_folder_have_no_label(tmp_path):
    for name, value in {"b.png": 2, "a.png": 1, ".hidden": 3}.items():
        (tmp_path / name).write_bytes(b"") if name[0] == "." else draw(tmp_path, name, value)
    table = load({**SPEC, "path": str(tmp_path), "n_classes": 4})
    assert table.inputs[:, 0, 0, 0].tolist() == [1, 2]
    assert table.labels.tolist() == [-1, -1]
    assert (table.n_classes, table.is_test.any()) == (4, np.False_)
    assert load({**SPEC, "path": str(tmp_path), "limit": 1}).inputs[:, 0, 0, 0].tolist() == [1]


def test_images_without_labels_may_have_a_test_part(tmp_path):
    for name, value in {"train/a.png": 1, "test/a.png": 2}.items():
        draw(tmp_path, name, value)
    assert load({**SPEC, "path": str(tmp_path)}).is_test.tolist() == [False, True]
    draw(tmp_path, "test/cat/a.png", 3)
    with pytest.raises(DataError, match="test/cat: the training part has no class of this name; its images have no"):
        load({**SPEC, "path": str(tmp_path)})


def test_images_beside_class_folders_belong_to_no_class(pets):
    draw(pets, "stray.png", 99)
    assert 99 not in load({**SPEC, "path": str(pets)}).inputs


def test_the_number_of_classes_and_the_folders_must_agree(pets):
    with pytest.raises(DataError, match="n_classes 3 and 2 names"):
        load({**SPEC, "path": str(pets), "n_classes": 3})


def test_colours_become_the_first_axis(tmp_path):
    draw(tmp_path, "cat/a.png", (1, 2, 3), "RGB")
    draw(tmp_path, "dog/a.png", 7)
    table = load({**SPEC, "channels": 3, "path": str(tmp_path)})
    assert table.inputs[:, :, 1, 2].tolist() == [[1, 2, 3], [7, 7, 7]]


def test_pixels_keep_their_place_and_other_sizes_are_resized(pets):
    pixels = np.arange(6, dtype=np.uint8).reshape(2, 3)
    Image.fromarray(pixels).save(pets / "cat/a.png")
    draw(pets, "dog/a.png", 40, size=(30, 20))
    table = load({**SPEC, "path": str(pets)})
    assert table.inputs[0, 0].tolist() == pixels.tolist()
    assert (table.inputs[1] == 40).all()


def test_a_limit_leaves_the_other_files_unread(pets):
    (pets / "cat/b.png").write_bytes(b"not an image")
    table = load({**SPEC, "path": str(pets), "limit": 2})
    assert table.labels.tolist() == [0, 1]


def test_hidden_files_are_passed_over(pets):
    (pets / "cat/.index").write_bytes(b"")
    (pets / ".cache").mkdir()
    assert len(load({**SPEC, "path": str(pets)})) == 4


@pytest.mark.parametrize("data", [b"", b"not an image", b"\x89PNG\r\n\x1a\n\0\0\0"])
def test_one_unreadable_file_is_named(pets, data):
    (pets / "cat/b.png").write_bytes(data)
    with pytest.raises(DataError, match=r"cat/b\.png: expected an image, could not read it"):
        load({**SPEC, "path": str(pets)})


def test_a_truncated_image_is_named(pets):
    noise = np.random.Generator(np.random.PCG64(0)).integers(0, 256, (50, 50), np.uint8)
    path = pets / "dog/a.png"
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:1500])
    with pytest.raises(DataError, match=r"dog/a\.png: expected an image"):
        load({**SPEC, "path": str(pets)})


def test_more_than_eight_bits_are_refused_not_clipped(pets):
    Image.fromarray(np.full((2, 3), 4000, np.uint16)).save(pets / "cat/b.png")
    with pytest.raises(DataError, match=r"cat/b\.png.*more than 8 bits per channel"):
        load({**SPEC, "path": str(pets)})


def test_an_image_that_unpacks_beyond_bounds_is_refused(pets, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    draw(pets, "cat/b.png", 0, size=(15, 10))
    with pytest.raises(DataError, match=r"cat/b\.png.*exceeds limit"):
        load({**SPEC, "path": str(pets)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": None}, "size: expected .* received None"),
        ({"size": [0, 3]}, r"received \[0, 3\]"),
        ({"size": [3]}, r"received \[3\]"),
        ({"channels": 4}, "channels: expected 1 .* received 4"),
    ],
)
def test_what_the_pictures_shall_become_must_be_said(pets, change, message):
    with pytest.raises(DataError, match=message):
        load({**SPEC, "path": str(pets), **change})


def test_folders_without_classes_or_images_are_named(tmp_path):
    draw(tmp_path, "one/cat/a.png", 1)
    with pytest.raises(DataError, match=r"at least 2 classes, received \['cat'\]"):
        load({**SPEC, "path": str(tmp_path / "one")})
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"expected images without labels, or .*, received \[\]"):
        load({**SPEC, "path": str(tmp_path / "empty")})
    (tmp_path / "one/dog").mkdir()
    with pytest.raises(DataError, match="one/dog: expected images, found none"):
        load({**SPEC, "path": str(tmp_path / "one")})


def test_a_test_class_that_was_never_trained_is_refused(tmp_path):
    for name in ("train/cat", "train/dog", "test/cat", "test/dog", "test/owl"):
        draw(tmp_path, f"{name}/a.png", 1)
    with pytest.raises(DataError, match="test/owl: the training part has no class of this name"):
        load({**SPEC, "path": str(tmp_path)})
