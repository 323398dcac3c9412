"""What the registry shows of a champion that was tested again: found by its alias, tagged, or demoted by the rule."""

import pytest

from sentei.adapters.kubeflow import recertification
from sentei.adapters.mlflow import tracking
from sentei.adapters.mlflow.champion import champion_at, find_champion, require_served, tag_version
from sentei.adapters.mlflow.connection import connect
from sentei.adapters.mlflow.registry import Settings, register
from sentei.errors import ServiceError
from sentei.steps.layout import reading

AT = "2026-02-01T03:00:00Z"


@pytest.fixture
def parent(local_mlflow):
    return tracking.open_run("run-1", "lenet", "run", {})


@pytest.fixture
def champion(parent, make_bundle):
    bundle = make_bundle("bundle-1", seed=1)
    register(bundle, parent, Settings("cheaper", str(bundle)))
    return bundle


def settled(rule):
    return {"model": "lenet", "version": "1", "demote": rule}


def test_the_champion_is_found_with_its_bundle_and_certificate(champion):
    found = find_champion("lenet", "champion")
    assert found == champion_at("lenet", "1")
    assert (found.version, found.released) == ("1", str(champion))
    assert found.certificate_sha256 == reading(champion).files["certificate.json"]
    require_served(found, reading(champion))


def test_another_network_than_the_one_that_is_served_is_refused(champion, make_bundle):
    with pytest.raises(ServiceError, match=r"expected model\.onnx with SHA-256"):
        require_served(find_champion("lenet", "champion"), reading(make_bundle("bundle-2", seed=2)))


def test_nothing_is_served_behind_an_alias_that_nobody_set_or_whose_version_is_revoked(champion):
    assert find_champion("lenet", "certified") is not None
    connect().delete_registered_model_alias("lenet", "certified")
    assert find_champion("lenet", "certified") is None
    tag_version("lenet", "1", {"revoked": AT})
    assert find_champion("lenet", "champion") is None


def test_a_registered_model_that_is_not_there_is_an_error(parent):
    with pytest.raises(ServiceError, match="expected the registered model nobody, found none"):
        find_champion("nobody", "champion")


def test_a_version_that_was_registered_without_a_released_bundle_is_named(parent, make_bundle):
    register(make_bundle("bundle-1", seed=1), parent)
    with pytest.raises(ServiceError, match="released is missing"):
        find_champion("lenet", "champion")


@pytest.mark.parametrize(
    ("outcome", "rule", "stays"),
    [
        ("undecided", "refuted", True),
        ("not tested", "unless-certified", True),
        ("recertified", "unless-certified", True),
        ("undecided", "unless-certified", False),
        ("refuted", "refuted", False),
    ],
)
def test_the_champion_is_demoted_as_the_recipe_says(champion, outcome, rule, stays):
    done = recertification._demoted(settled(rule), outcome, "told", AT)
    assert (done == {}) == stays
    assert (connect().get_registered_model("lenet").aliases != {}) == stays
    again = recertification._demoted(settled(rule), outcome, "something else", "2027-01-01T00:00:00Z")
    tags = connect().get_model_version("lenet", "1").tags
    assert (again == {}, tags.get("revoked")) == ((True, None) if stays else (False, AT))
    if not stays:
        assert tags["revoked_reason"].startswith("told")


def test_a_run_keeps_what_was_settled_first(parent):
    assert tracking.remember(parent, "sentei.settled", "one") == "one"
    assert tracking.remember(parent, "sentei.settled", "two") == "one"
