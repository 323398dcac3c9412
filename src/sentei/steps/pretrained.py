"""Weights that users bring: found once by the plan, and held to that content ever after."""

from pathlib import Path

from sentei.certificate.canonical import sha256_hex
from sentei.errors import ModelError
from sentei.steps import layout
from sentei.steps.examples import OpenUri


def find_pretrained(source: str, open_uri: OpenUri | None) -> Path:
    """The file with the weights that a recipe names.

    Args:
        source: A ``.safetensors`` or ``.pt``/``.pth`` file, a folder with ``weights.safetensors``, or a URI.
        open_uri: Turns a URI into a local path.

    Raises:
        ModelError: There is no such file.
    """
    remote = "://" in source or source.startswith("models:/")
    path = open_uri(source) if remote and open_uri is not None else Path(source)
    if path.is_dir():
        path = next(iter(sorted(path.rglob(layout.WEIGHTS))), path / layout.WEIGHTS)
    if not path.is_file():
        raise ModelError(
            f"pretrained: expected a checkpoint at {source}, found none; check the recipe's model.pretrained"
        )
    return path


def describe_pretrained(source: str, open_uri: OpenUri | None) -> dict[str, str]:
    """Where the weights are and which they are, as the plan freezes it."""
    return {"source": source, "sha256": sha256_hex(find_pretrained(source, open_uri).read_bytes())}


def find_described(described: dict[str, str], open_uri: OpenUri | None) -> Path:
    """The same file again.

    Raises:
        ModelError: It is gone, or holds other weights than those the plan saw.
    """
    path = find_pretrained(described["source"], open_uri)
    found = sha256_hex(path.read_bytes())
    if found != described["sha256"]:
        raise ModelError(
            f"{path}: the plan saw weights {described['sha256'][:12]}, the file now holds {found[:12]}; plan again"
        )
    return path
