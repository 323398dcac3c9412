import string
from contextlib import suppress
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from sentei.certificate.canonical import canonical_json, digest, parse_canonical
from sentei.certificate.recheck import recheck
from sentei.certificate.record import parse
from sentei.errors import CertificateError
from sentei.risk import Claim
from tests.certified_run import certified_run

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@cache
def run_of(tolerance):
    run = certified_run(Claim("accuracy_drop", tolerance, "0.05"))
    return run, run.record().to_json()


@given(values)
def test_a_value_survives_its_text(value):
    assert parse_canonical(canonical_json(value), "here") == value


@given(values, values)
def test_two_values_share_a_digest_only_if_they_are_the_same(one, other):
    assert (digest(one) == digest(other)) == (canonical_json(one) == canonical_json(other))


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(["0.02", "0.001"]), st.integers(0), st.sampled_from(string.printable))
def test_no_single_character_changes_unnoticed(tolerance, place, character):
    run, text = run_of(tolerance)
    place %= len(text)
    altered = text[:place] + character.encode() + text[place + 1 :]
    try:
        found = recheck(parse(altered), run.evidence)
    except CertificateError:
        return
    assert found or altered == text


@settings(max_examples=200, deadline=None)
@given(st.integers(0), st.sampled_from(["cut", "drop", "double"]))
def test_no_character_goes_missing_unnoticed(place, how):
    _, text = run_of("0.02")
    place %= len(text)
    after = {"cut": b"", "drop": text[place + 1 :], "double": text[place : place + 1] + text[place:]}[how]
    altered = text[:place] + after
    with suppress(CertificateError):
        assert parse(altered).to_json() == text == altered
