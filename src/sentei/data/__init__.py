"""Hands on examples: rows with labels, split by content, told apart by digests.

A ``Table`` is a whole data set, ``split`` deals its rows into five parts that share no content, ``Splits.take`` gives
the ``Examples`` of one part, and a ``Preprocessing`` says how their numbers become what a network reads. Rows may lack
labels: ``join`` puts such rows beside labelled ones. In place of one label, a row may have a mask: one for each pixel.
"""

from sentei.data.digests import content_digests, split_digest
from sentei.data.joining import join
from sentei.data.labels import UNLABELLED
from sentei.data.masks import IGNORED
from sentei.data.preprocessing import Preprocessing
from sentei.data.splits import SPLITS, Splits, split
from sentei.data.table import Examples, Table

__all__ = [
    "IGNORED",
    "SPLITS",
    "UNLABELLED",
    "Examples",
    "Preprocessing",
    "Splits",
    "Table",
    "content_digests",
    "join",
    "split",
    "split_digest",
]
