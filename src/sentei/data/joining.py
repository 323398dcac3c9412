"""Two data sets as one table: rows with labels, and rows without."""

import numpy as np

from sentei.data.labels import no_labels
from sentei.data.streamed import Streamed
from sentei.data.table import Table
from sentei.errors import DataError


def join(labelled: Table, unlabelled: Table) -> Table:
    """One table of both: first the rows that have labels, then the rows that shall count as having none.

    Args:
        labelled: Every row has a label.
        unlabelled: Rows of the same shape and type. Their labels, if there are any, are forgotten, and so is what was
            their own test part.

    Returns:
        Classes are those of the labelled rows. ``split`` draws selection and calibration from the unlabelled rows of
        such a table, everything else from the labelled ones.

    Raises:
        DataError: The rows do not fit one another, or the first table has rows without labels.

    Example:
        >>> pets = Table.of(np.zeros((2, 3), np.uint8), np.array([0, 1]), "pets")
        >>> join(pets, Table.of(np.ones((1, 3), np.uint8), None, "strays")).labels.tolist()
        [0, 1, -1]
    """
    _check(labelled, unlabelled)
    labels = np.concatenate([labelled.labels, no_labels(len(unlabelled))])
    return Table(
        np.concatenate([labelled.inputs, unlabelled.inputs]),
        labels,
        labelled.n_classes,
        labelled.class_names,
        np.concatenate([labelled.is_test, np.zeros(len(unlabelled), np.bool_)]),
        f"{labelled.name} and {unlabelled.name}",
    )


def _check(labelled: Table, unlabelled: Table) -> None:
    if labelled.task != "classification":
        raise DataError(
            f"{labelled.name}: expected one label for each row, received masks; rows without labels prove how often "
            "two networks name another class, which is no loss of masks: leave data.unlabelled away"
        )
    if not labelled.labelled:
        raise DataError(
            f"{labelled.name}: expected labels for every row, because {unlabelled.name} already brings the rows "
            "without; put all rows without labels into that one"
        )
    if any(isinstance(table.inputs, Streamed) for table in (labelled, unlabelled)):
        raise DataError(
            f"{labelled.name}: expected both data sets in memory, because rows without labels are joined to labelled "
            "ones; join them before they are sharded, or leave data.unlabelled away"
        )
    some, others = ((table.inputs.dtype, table.input_shape) for table in (labelled, unlabelled))
    if some != others:
        raise DataError(
            f"{unlabelled.name}: expected {some[0]} rows of shape {some[1]} like those of {labelled.name}, received "
            f"{others[0]} {others[1]}; read both in the same form"
        )
