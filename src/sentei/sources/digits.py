"""The handwritten digits that scikit-learn carries, for trying things out without a download."""

import numpy as np

from sentei.data import Table

# The source's pixels count from 0 to 16.
BRIGHTEST = 16


def read_digits() -> Table:
    """1 797 digits of 8 x 8 pixels, brightness 0 to 16 spread over 0 to 255; no test part of their own.

    Source:
        Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository (1998); the copy
        in scikit-learn.

    Example:
        >>> table = read_digits()
        >>> table.inputs.shape, int(table.inputs.max())
        ((1797, 1, 8, 8), 255)
    """
    from sklearn.datasets import load_digits

    found = load_digits()
    inputs = np.rint(found.images * 255 / BRIGHTEST).astype(np.uint8)[:, None]
    return Table.of(inputs, found.target, "digits", class_names=[str(digit) for digit in range(10)])
