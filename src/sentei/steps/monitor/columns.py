"""A CSV file -> the texts of the columns that hold answers and labels, each of which can only mean one thing."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path

from sentei.errors import DataError

COLUMNS = ("variant", "dense", "label")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_INTEGER = re.compile(r"0|-?[1-9][0-9]*")


def read_columns(path: Path, name: str) -> tuple[dict[str, list[str]], bool]:
    """The texts of the columns ``variant``, ``dense`` and ``label``, as far as they are there, one per row.

    Args:
        path: A CSV file in UTF-8 with a header.
        name: What messages call it.

    Returns:
        The texts by column (an empty text stands for a missing label), and whether there are other columns, too.

    Raises:
        DataError: The file cannot be read, a column is missing or there twice, or a text is no class; the message names
            the line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _columns(csv.reader(file, strict=True), name)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{name}: expected a CSV file in UTF-8, could not read it ({error})") from error


def _columns(lines: Iterator[list[str]], name: str) -> tuple[dict[str, list[str]], bool]:
    header = [text.strip() for text in next(lines, [])]
    places = {column: header.index(column) for column in COLUMNS if header.count(column) == 1}
    if "variant" not in places or any(header.count(column) > 1 for column in COLUMNS):
        raise DataError(
            f"{name}: expected a header with the columns {', '.join(COLUMNS)} (dense and label where they are known), "
            f"each once; received {', '.join(header) or 'nothing'}"
        )
    found: dict[str, list[str]] = {column: [] for column in places}
    for number, fields in enumerate(lines, start=2):
        if not fields:
            continue  # an empty line
        if len(fields) != len(header):
            raise DataError(f"{name}: expected {len(header)} fields in line {number}, received {len(fields)}")
        for column, place in places.items():
            found[column].append(_class(fields[place].strip(), column, f"{name}: line {number}"))
    return found, len(header) > len(places)


def _class(text: str, column: str, where: str) -> str:
    """The text of a class; of several that mean one number only one is let through, since texts are compared."""
    if (not text and column != "label") or (_NUMBER.fullmatch(text) and not _INTEGER.fullmatch(text)):
        raise DataError(
            f"{where}: expected a class in column {column}, a name or a whole number such as 3 (-1 where none was "
            f"named), received {text!r}"
        )
    return text
