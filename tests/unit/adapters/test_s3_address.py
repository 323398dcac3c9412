"""Every s3:// URI means one thing, or is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentei.adapters.s3.address import Address, parse
from sentei.errors import RecipeError

SEGMENT = st.text(st.characters(exclude_characters="/", exclude_categories=["C"]), min_size=1).filter(
    lambda text: text not in (".", "..")
)


@given(st.lists(SEGMENT, max_size=4), st.booleans())
def test_what_is_written_is_what_is_read(segments, folder):
    """An address and its URI say the same."""
    key = "/".join(segments) + ("/" if folder and segments else "")

    assert parse(f"s3://some.bucket-1/{key}") == Address("some.bucket-1", key)
    assert str(parse(f"s3://some.bucket-1/{key}")) == f"s3://some.bucket-1/{key}"


@pytest.mark.parametrize(
    "uri",
    [
        "s3://bucket",
        "s3:///key",
        "s3://",
        "S3://bucket/key",
        "https://bucket/key",
        "/data/key",
        "s3://Bucket/key",
        "s3://b/key",
        "s3://a..b/key",
        "s3://bucket:9000/key",
        "s3://bucket//key",
        "s3://bucket/a//b",
        "s3://bucket/a/../b",
        "s3://bucket/./b",
        "s3://bucket/a//",
        "s3://bucket/a\nb",
    ],
)
def test_what_could_mean_two_things_is_refused(uri):
    with pytest.raises(RecipeError, match="expected"):
        parse(uri)


def test_a_password_in_a_uri_is_not_repeated():
    with pytest.raises(RecipeError) as refusal:
        parse("s3://me:hush@bucket/key")

    assert "hush" not in str(refusal.value)


@pytest.mark.parametrize(("uri", "name"), [("s3://buc/a/b.npz", "b.npz"), ("s3://buc/a/b/", "b"), ("s3://buc/", "")])
def test_a_name_is_the_last_segment(uri, name):
    assert parse(uri).name == name
