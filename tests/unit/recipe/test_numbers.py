"""Decimals keep the number their author wrote, in one spelling."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from sentei.recipe.numbers import decimal_text

ORDINARY = st.decimals(
    allow_nan=False, allow_infinity=False, min_value=Decimal("-1e30"), max_value=Decimal("1e30")
).filter(lambda number: number == 0 or abs(number.adjusted()) <= 30)


@given(ORDINARY.map(str) | st.integers(-(10**30), 10**30) | st.floats(1e-30, 1e30) | st.floats(-1e30, -1e-30))
def test_the_text_is_the_same_number_in_its_only_spelling(value):
    text = decimal_text(value)

    assert Decimal(text) == Decimal(str(value))
    assert decimal_text(text) == text
    assert "e" not in text.lower()
    assert not ("." in text and text.endswith(("0", ".")))


@given(ORDINARY, st.integers(0, 5))
def test_equal_numbers_have_equal_texts(number, n_zeros):
    text = f"{number:f}"
    longer = text + ("" if "." in text else ".") + "0" * n_zeros
    assert decimal_text(longer) == decimal_text(str(number))


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.050, "0.05"), ("1e-2", "0.01"), (3, "3"), (-0.0, "0"), ("-0.00", "0"), ("1E+3", "1000"), ("0e99999", "0")],
)
def test_examples_by_hand(value, text):
    assert decimal_text(value) == text


def test_digits_beyond_a_float_are_kept():
    assert decimal_text("0.12345678901234567890123456789012345") == "0.12345678901234567890123456789012345"


@pytest.mark.parametrize(
    "value",
    [
        True,
        None,
        [],
        "",
        " 1",
        "1_0",
        "0x1",
        "nan",
        "inf",
        float("nan"),
        float("-inf"),
        "٠.٥",
        "1e31",
        1e-31,
        "1e9999999",
    ],
)
def test_what_is_no_ordinary_number_is_refused(value):
    with pytest.raises(PydanticCustomError, match="expected a"):
        decimal_text(value)
