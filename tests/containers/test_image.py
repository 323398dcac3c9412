"""What is in the image, and what is not."""

import json
from importlib.metadata import version

import pytest

from components.image.build import OUT, digest
from components.image.engine import base_image
from tests.containers.conftest import answer, inside

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(1800)]
ISOLATED = ("--network", "none", "--read-only", "--tmpfs", "/tmp")


def test_it_runs_as_a_user_of_its_own_who_writes_nowhere_but_in_tmp(image):
    script = """
import json, os, tempfile
def writes(folder):
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True
folders = ["/tmp", "/opt/user", "/opt/sentei/code", "/opt/sentei/packages", "/usr/bin", "/etc", "/var"]
print(json.dumps({"uid": os.getuid(), "gid": os.getgid(), "writes": [one for one in folders if writes(one)]}))
"""
    assert answer(image, script, *ISOLATED) == {"uid": 10001, "gid": 10001, "writes": ["/tmp"]}
    assert answer(image, script, "--network", "none")["writes"] == ["/tmp"]


def test_nothing_in_it_builds_or_installs(image):
    script = """
import importlib.util, json, shutil
programs = ["pip", "pip3", "gcc", "cc", "g++", "ld", "as", "make", "git", "curl", "wget", "zig"]
modules = ["pip", "setuptools", "ziglang", "elftools", "pytest", "moto"]
found = [one for one in programs if shutil.which(one)] + [one for one in modules if importlib.util.find_spec(one)]
print(json.dumps(found))
"""
    assert answer(image, script, *ISOLATED) == []


def test_of_kfp_it_holds_what_runs_a_component(image):
    script = "import json, kfp.dsl.executor_main, kfp; print(json.dumps(kfp.__version__))"
    assert answer(image, script, *ISOLATED, "--env", "_KFP_RUNTIME=true") == version("kfp")
    refused = inside(image, "import kfp.client", *ISOLATED)
    assert "ModuleNotFoundError" in refused.stderr


def test_torch_trains_exports_and_serves_without_the_libraries_of_an_accelerator(image):
    script = """
import json, pathlib
import numpy as np, onnxruntime, torch, torchvision
torch.manual_seed(0)
net = torch.nn.Sequential(torchvision.ops.Conv2dNormActivation(1, 2), torch.nn.Flatten(), torch.nn.Linear(128, 3))
rows = torch.randn(4, 1, 8, 8)
optimizer = torch.optim.SGD(net.parameters(), 0.1)
losses = []
for _ in range(5):
    loss = torch.nn.functional.cross_entropy(net(rows), torch.tensor([0, 1, 2, 0]))
    optimizer.zero_grad(); loss.backward(); optimizer.step(); losses.append(loss.item())
net.eval()
torch.onnx.export(net, (rows,), "/tmp/net.onnx", input_names=["rows"], dynamo=True, external_data=False, verbose=False)
(served,) = onnxruntime.InferenceSession("/tmp/net.onnx").run(None, {"rows": rows.numpy()})
solved = torch.linalg.solve(torch.eye(3) * 2, torch.ones(3)).tolist()
loaded = sorted({pathlib.Path(line.split()[-1]).name for line in open("/proc/self/maps") if "/nvidia/" in line})
print("\\n" + json.dumps({"gpu": torch.cuda.is_available(), "learns": losses[-1] < losses[0], "solved": solved,
    "nvidia": loaded, "served": bool(np.allclose(served, net(rows).detach().numpy(), atol=1e-5))}))
"""
    done = inside(image, script, *ISOLATED)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told == {"gpu": False, "learns": True, "solved": [0.5, 0.5, 0.5], "nvidia": [], "served": True}


def test_its_name_and_its_labels_say_what_went_in(image, client):
    labels = client.images.get(image).labels
    assert image == f"sentei:{digest('cpu')[:16]}-cpu"
    assert labels["sentei.sources"] == digest("cpu")
    assert labels["sentei.variant"] == "cpu"
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert labels["org.opencontainers.image.base.name"] == base_image()
    assert labels["org.opencontainers.image.version"] == image.partition(":")[2]


def test_the_bill_of_materials_names_every_package_with_its_licence(image):
    folder = OUT / image.replace(":", "-")
    bill = json.loads((folder / "sbom.cdx.json").read_text())
    found = {one["purl"].partition("@")[0]: one for one in bill["components"]}
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert found["pkg:pypi/torch"]["version"].partition("+")[0] == version("torch").partition("+")[0]
    assert found["pkg:pypi/sentei"]["version"] == version("sentei")
    assert found["pkg:deb/debian/libc6"]["version"].startswith("2.")
    assert not [name for name in found if "nvidia" in name]
    assert found["pkg:pypi/numpy"]["licenses"][0]["license"]["name"] != "unknown"

    lock = (OUT.parents[1] / "components/image/requirements-cpu.txt").read_text().splitlines()[1:]
    assert {f"pkg:pypi/{line.partition('==')[0]}" for line in lock} <= set(found)
    rows = [line.split("\t") for line in (folder / "licences.tsv").read_text().splitlines()]
    assert len(rows) == len(bill["components"])
    assert ["kfp", version("kfp")] in [row[:2] for row in rows]
