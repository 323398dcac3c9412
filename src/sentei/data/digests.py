"""What tells one input from another, and one split from another."""

import hashlib

import numpy as np
import numpy.typing as npt

from sentei.data.streamed import Streamed
from sentei.data.table import Examples, Inputs


def content_digests(inputs: Inputs) -> npt.NDArray[np.uint8]:
    """One fingerprint per row: two rows have the same one exactly if they hold the same numbers.

    Args:
        inputs: Shape (n, ...); uint8 or float32. Of streamed rows those that were stored with them are taken.

    Returns:
        Shape (n, 32). SHA-256 of the text ``<dtype> <shape>`` and a line feed, for example ``|u1 1x28x28``, followed by
        the row's bytes in C order, little-endian.

    Guarantee:
        Rows of another type or shape never share a fingerprint with this one, whatever their bytes, unless SHA-256
        itself collides. Floats are told apart by their bytes: 0.0 and -0.0 differ.

    Example:
        >>> first, second, third = content_digests(np.array([[1, 2], [1, 2], [2, 1]], np.uint8))
        >>> bool((first == second).all()), bool((first == third).all())
        (True, False)
    """
    if isinstance(inputs, Streamed):
        known = inputs.digests
        return np.concatenate([content_digests(part) for part in inputs.pieces()]) if known is None else known
    dtype = inputs.dtype.newbyteorder("<")
    flat = np.ascontiguousarray(inputs, dtype).reshape(len(inputs), -1).view(np.uint8)
    start = hashlib.sha256(f"{dtype.str} {'x'.join(map(str, inputs.shape[1:]))}\n".encode())
    found = bytearray()
    for row in flat:
        one = start.copy()
        one.update(row.data)
        found += one.digest()
    return np.frombuffer(bytes(found), np.uint8).reshape(-1, 32)


def split_digest(examples: Examples) -> str:
    """Which examples these are, in which order, as 64 hexadecimal digits.

    Returns:
        SHA-256 of all content digests (n x 32 bytes) followed by all labels (n x 8 bytes, little-endian), or by the
        content digests of all masks (n x 32 bytes); where the rows stand in their table does not matter.

    Example:
        >>> one = Examples(np.array([[7]], np.uint8), np.array([0]), np.array([5]))
        >>> split_digest(one) == split_digest(Examples(one.inputs, one.labels, np.array([9])))
        True
    """
    whole = hashlib.sha256(content_digests(examples.inputs).tobytes())
    labels = examples.labels
    masks = examples.task == "segmentation"
    whole.update((content_digests(labels.astype(np.uint8)) if masks else labels.astype("<i8")).tobytes())
    return whole.hexdigest()
