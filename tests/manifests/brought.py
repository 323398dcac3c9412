"""The table of manifests/README.md: Secrets and ConfigMaps that are there before an overlay is applied."""

import re

from tests.manifests.rendered import MANIFESTS

_ROW = re.compile(r"\| (both|kind|production) \| (\S+) \| (\S+/\S+) \| ([^|]+) \|")


def brought(overlay: str) -> dict[tuple[str, str], set[str]]:
    """Keys of each object that the reader is told to bring, by namespace and kind/name."""
    rows = _ROW.findall((MANIFESTS / "README.md").read_text())
    return {(space, name): set(keys.split(", ")) for which, space, name, keys in rows if which in ("both", overlay)}
