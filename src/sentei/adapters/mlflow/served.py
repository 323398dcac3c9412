"""The description that makes the certified bytes a model which MLflow can serve.

The ONNX flavour's own ``log_model`` writes the network anew, and the certificate is about these bytes and no others.
So the flavour's description is written here, to stand beside the certified file.
"""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from sentei.certificate.canonical import canonical_json
from sentei.errors import ModelError

MODEL = "model.onnx"
_NEEDS = {"mlflow": "mlflow-skinny", "numpy": "numpy", "onnx": "onnx", "onnxruntime": "onnxruntime", "pandas": "pandas"}


def describe(onnx_file: Path, model_id: str, run_id: str) -> dict[str, str]:
    """The files that make a folder with ``model.onnx`` an MLflow model, by name.

    Args:
        onnx_file: The network; one input whose rows are what users have, such as uint8 images.
        model_id: Id of the logged model.
        run_id: Id of the run that it belongs to.

    Raises:
        ModelError: The network has not exactly one input, or cannot be read.
    """
    import yaml

    needs = [_pinned(name, source) for name, source in _NEEDS.items()]
    python = {"python": _python(), "build_dependencies": ["pip"], "dependencies": ["-r requirements.txt"]}
    packages: list[Any] = [f"python={_python()}", "pip", {"pip": needs}]
    conda = {"name": "mlflow-env", "channels": ["conda-forge"], "dependencies": packages}
    return {
        "MLmodel": yaml.safe_dump(_mlmodel(onnx_file, model_id, run_id), sort_keys=True),
        "requirements.txt": "\n".join(needs) + "\n",
        "python_env.yaml": yaml.safe_dump(python, sort_keys=False),
        "conda.yaml": yaml.safe_dump(conda, sort_keys=False),
    }


def _mlmodel(onnx_file: Path, model_id: str, run_id: str) -> dict[str, Any]:
    environment = {"conda": "conda.yaml", "virtualenv": "python_env.yaml"}
    return {
        "artifact_path": f"models:/{model_id}",
        "flavors": {
            "onnx": {
                "data": MODEL,
                "onnx_version": version("onnx"),
                # Certified on the CPU's kernels; MLflow would look for a GPU first.
                "providers": ["CPUExecutionProvider"],
            },
            "python_function": {
                "data": MODEL,
                "env": environment,
                "loader_module": "mlflow.onnx",
                "python_version": _python(),
            },
        },
        "mlflow_version": version("mlflow-skinny"),
        "model_id": model_id,
        "model_size_bytes": onnx_file.stat().st_size,
        "model_uuid": model_id,
        "run_id": run_id,
        "signature": _signature(onnx_file),
    }


def _signature(onnx_file: Path) -> dict[str, str | None]:
    import onnx
    from google.protobuf.message import DecodeError

    try:
        graph = onnx.load(onnx_file).graph
    except (DecodeError, onnx.onnx_cpp2py_export.checker.ValidationError) as error:
        raise ModelError(f"{onnx_file}: expected an ONNX network, received something else ({error})") from error
    if len(graph.input) != 1:
        raise ModelError(f"{onnx_file}: expected a network with one input, received {[i.name for i in graph.input]}")
    # Without a name, so that callers pass the array itself.
    inputs = [_tensor(graph.input[0])]
    outputs = [{**_tensor(value), "name": value.name} for value in graph.output]
    return {"inputs": _json(inputs), "outputs": _json(outputs), "params": None}


def _tensor(value: Any) -> dict[str, Any]:
    from onnx.helper import tensor_dtype_to_np_dtype

    tensor = value.type.tensor_type
    # MLflow wants -1 for whatever varies, and the number of rows always does.
    shape = [-1, *(size.dim_value or -1 for size in tensor.shape.dim[1:])]
    return {"type": "tensor", "tensor-spec": {"dtype": str(tensor_dtype_to_np_dtype(tensor.elem_type)), "shape": shape}}


def _json(value: list[dict[str, Any]]) -> str:
    return canonical_json(value).decode().strip()


def _pinned(name: str, source: str) -> str:
    try:
        return f"{name}=={version(source)}"
    except PackageNotFoundError:
        # Serving needs it; registering does not.
        return name


def _python() -> str:
    from platform import python_version

    return python_version()
