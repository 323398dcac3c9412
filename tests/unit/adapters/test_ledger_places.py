import pytest

from sentei.adapters.uris import open_ledger
from sentei.errors import RecipeError


def test_a_folder_of_the_pod_itself_is_no_place_for_a_ledger(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert open_ledger("ledger").chains() == ()
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    with pytest.raises(RecipeError, match=r"ledger\.at: expected s3://bucket/prefix, or the absolute path"):
        open_ledger("ledger")
    assert open_ledger(str(tmp_path / "mounted")).chains() == ()
    assert list(tmp_path.iterdir()) == []
