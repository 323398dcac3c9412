"""A Kubeflow server for each test, and something to submit to it."""

import pytest

from sentei.adapters.kubeflow.access import HOST, TOKEN
from sentei.adapters.kubeflow.submission import Order
from tests.services.kubeflow.recipe import IMAGE
from tests.services.kubeflow.server import Kubeflow


@pytest.fixture
def kubeflow(tmp_path, monkeypatch):
    for name in (HOST, TOKEN, "KF_PIPELINES_SA_TOKEN_PATH", "KUBERNETES_SERVICE_HOST", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    server = Kubeflow(tmp_path / "runs")
    yield server
    server.close()


@pytest.fixture(scope="module")
def package():
    from sentei.adapters.kubeflow.package import shipped, with_image

    text = with_image(shipped("pipelines/compress.yaml").read_text(), IMAGE)
    return f"{text}---\nplatforms: {{}}\n"


@pytest.fixture
def order(package):
    return Order("name: tiny", "tiny", "compress", package, "kubeflow", "tiny", "sentei")
