"""The kinds of data set, and what each of them has to be told and may be told."""

from collections.abc import Mapping
from typing import Literal

Source = Literal["fashion-mnist", "digits", "shapes", "idx", "images", "masks", "npz", "shards", "factory"]

KEYS: Mapping[str, Mapping[str, bool]] = {
    "fashion-mnist": {},
    "digits": {},
    "shapes": {},
    "idx": {"path": True},
    "images": {"path": True, "size": True, "channels": False, "n_classes": False},
    "masks": {"path": True, "size": True, "channels": False, "n_classes": False},
    "npz": {"path": True, "n_classes": False},
    "shards": {"path": True},
    "factory": {"factory": True, "kwargs": False, "n_classes": False},
}
"""The keys of each source beside ``limit``, and whether it needs them."""
_FORMS = {"path": "a path", "size": "[height, width]", "factory": "'package.module:function'"}


def wish(source: str, key: str, given: bool) -> str:
    """What a source wishes in the place of a key, or nothing when it is content.

    Args:
        source: One of ``KEYS``.
        key: A key of the recipe's data section.
        given: Whether the recipe holds a value for it.

    Example:
        >>> wish("npz", "path", given=False)
        'a path'
        >>> wish("digits", "path", given=True)
        'nothing here'
    """
    if key not in KEYS[source]:
        return "nothing here" if given else ""
    return _FORMS[key] if KEYS[source][key] and not given else ""
