"""What ``index.json`` says of a sharded data set."""

from collections.abc import Sequence
from itertools import accumulate
from math import prod
from typing import Annotated, Final, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sentei.errors import DataError

FORMAT: Final = "sentei.shards/1"
INDEX = "index.json"
HEADER_BLOCK = 64

# Names are put behind a folder or prefix: nothing that could lead out of it.
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=200)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Positive = Annotated[int, Field(gt=0)]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class File(_Part):
    """One file of the folder.

    Attributes:
        name: Relative to the folder.
        bytes: Its size.
        sha256: Of all its bytes.
    """

    name: Name
    bytes: Positive
    sha256: Digest


class Shard(File):
    """A file of rows: a NumPy array ``(rows, *shape)`` in C order, little-endian, uncompressed.

    Attributes:
        rows: How many.
    """

    rows: Positive


class Index(_Part):
    """The whole data set.

    Attributes:
        format: Version of what is written here.
        name: What the data set is called.
        shape: Of one row.
        dtype: Of every row.
        n_classes: As in ``Table``.
        class_names: As in ``Table``.
        rows: A NumPy archive of what is known of every row: ``labels``, ``is_test``, ``digests``, perhaps ``sums``.
        shards: In the order of the rows.
    """

    format: Literal["sentei.shards/1"]
    name: str
    shape: Annotated[list[Positive], Field(min_length=1)]
    dtype: Literal["uint8", "float32"]
    n_classes: Annotated[int, Field(ge=0)]
    class_names: list[str]
    rows: File
    shards: Annotated[list[Shard], Field(min_length=1)]

    @property
    def n_rows(self) -> int:
        """Of all shards."""
        return sum(shard.rows for shard in self.shards)

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return prod(self.shape) * np.dtype(self.dtype).itemsize

    @property
    def starts(self) -> npt.NDArray[np.int64]:
        """Number of the first row of every shard."""
        return np.array([0, *accumulate(shard.rows for shard in self.shards[:-1])], np.int64)

    @property
    def parts(self) -> npt.NDArray[np.int64]:
        """Number of the shard of every row."""
        return np.repeat(np.arange(len(self.shards)), [shard.rows for shard in self.shards])

    def to_json(self) -> bytes:
        """The bytes of ``index.json``."""
        return self.model_dump_json(indent=1).encode() + b"\n"


def parse_index(data: bytes, where: str) -> Index:
    """The index that these bytes hold.

    Args:
        data: Of ``index.json``.
        where: Of the data set, for messages.

    Raises:
        DataError: They are no index of this version, or its numbers disagree.
    """
    try:
        index = Index.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise DataError(
            f"{where}: expected the index of a sharded data set ({FORMAT}), received {place}: {first['msg']}; "
            "write it with sentei data shard"
        ) from error
    # Before the rows stands NumPy's header, which is padded to whole blocks.
    headers = {shard.name: shard.bytes - shard.rows * index.row_bytes for shard in index.shards}
    misfits = [name for name, header in headers.items() if header <= 0 or header % HEADER_BLOCK]
    if misfits or _repeated([index.rows.name, *(shard.name for shard in index.shards)]):
        raise DataError(
            f"{where}: expected shards with names of their own and as many bytes as their rows take, received "
            f"{misfits or 'a name twice'}; write the data set again with sentei data shard"
        )
    return index


def _repeated(names: Sequence[str]) -> bool:
    return len(set(names)) < len(names)
