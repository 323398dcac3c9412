"""What the package and its help load: nothing heavy."""

import subprocess
import sys

import pytest

HEAVY = (
    "torch",
    "torchvision",
    "kfp",
    "mlflow",
    "boto3",
    "pydantic",
    "numpy",
    "scipy",
    "onnx",
    "onnxruntime",
    "sklearn",
)


def loaded(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint('loaded', *sys.modules)"
    ran = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in ran.stdout.splitlines()[-1].split()}


HELP = "from sentei.cli import cli\ntry:\n    cli({arguments}, prog_name='sentei')\nexcept SystemExit: pass"


@pytest.mark.parametrize(
    "code",
    [
        "import sentei",
        "import sentei.errors, sentei.cli, sentei.steps",
        *(
            HELP.format(arguments=arguments)
            for arguments in (
                ["--help"],
                ["run", "--help"],
                ["verify", "--help"],
                ["data", "fetch", "--help"],
                ["submit", "--help"],
                ["schedule", "--help"],
                ["--version"],
            )
        ),
    ],
)
def test_nothing_heavy_is_imported(code):
    assert loaded(code) & set(HEAVY) == set()


@pytest.mark.parametrize(
    ("module", "without"),
    [
        ("sentei.recipe", ("torch", "numpy", "scipy", "kfp", "mlflow", "boto3")),
        ("sentei.risk, sentei.certificate.recheck", ("torch", "kfp", "mlflow", "boto3", "onnxruntime")),
        ("sentei.steps.plan", ("torch", "torchvision", "kfp", "mlflow", "boto3", "onnxruntime")),
        ("sentei.steps.evaluate", ("torch", "torchvision", "kfp", "mlflow", "boto3", "sklearn")),
        ("sentei.steps.verify", ("torch", "torchvision", "kfp", "mlflow", "boto3", "sklearn")),
        ("sentei.steps.train", ("torchvision", "kfp", "mlflow", "boto3", "sklearn")),
    ],
)
def test_each_part_imports_what_it_uses_and_no_more(module, without):
    assert loaded(f"import {module}") & set(without) == set()
