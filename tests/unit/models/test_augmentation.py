"""Augmented images are the old ones, moved and flipped."""

import torch

from sentei.models.augmentation import augment


def images(n: int = 64) -> torch.Tensor:
    return torch.arange(1, n * 2 * 16 * 8 + 1, dtype=torch.float32).view(n, 2, 16, 8)


def test_nothing_changes_without_augmentation():
    assert torch.equal(augment(images(), "none"), images())


def test_flips_come_in_about_half_of_the_images():
    """Fair coins: fewer than 12 or more than 52 heads in 64 tosses happen once in more than a million runs."""
    torch.manual_seed(0)
    before, after = images(), augment(images(), "flip")
    flipped = [torch.equal(a, b.flip(2)) for a, b in zip(after, before, strict=True)]
    same = [torch.equal(a, b) for a, b in zip(after, before, strict=True)]

    assert all(f != s for f, s in zip(flipped, same, strict=True))
    assert 12 <= sum(flipped) <= 52


def test_every_image_is_cut_from_its_own_bordered_self():
    torch.manual_seed(0)
    before, after = images(), augment(images(), "crop-flip")
    offsets = set()
    for old, new in zip(before, after, strict=True):
        bordered = torch.nn.functional.pad(old, (2, 2, 2, 2))
        cuts = {(y, x): bordered[:, y : y + 16, x : x + 8] for y in range(5) for x in range(5)}
        places = [place for place, cut in cuts.items() if torch.equal(new, cut) or torch.equal(new, cut.flip(2))]
        assert len(places) == 1
        offsets.add(places[0])

    assert len(offsets) > 10
    assert after.is_contiguous(memory_format=torch.channels_last)
