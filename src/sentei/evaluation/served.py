"""The network as it is served: ONNX Runtime, without torch."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from sentei.errors import ModelError

DTYPES = {"tensor(uint8)": np.dtype(np.uint8), "tensor(float)": np.dtype(np.float32)}


class ServedModel:
    """An exported network that answers for raw rows.

    Args:
        onnx: The bytes of the file, or its path.
        threads: Processor threads for one batch; at least 1.

    Attributes:
        dtype: Of the raw rows that it takes.
        row_shape: Of one raw row.

    Raises:
        ModelError: The bytes are no network with one input of raw rows and one output of logits.

    Guarantee:
        On one machine, equal rows, batch size and threads give equal logits, bit for bit.
    """

    def __init__(self, onnx: bytes | str | Path, threads: int = 1) -> None:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        options.use_deterministic_compute = True
        options.log_severity_level = 3
        source = onnx if isinstance(onnx, bytes) else str(onnx)
        try:
            self._session = ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime has a class of its own for every way to be broken
            raise ModelError(f"onnxruntime cannot load the served model: {error}; export it again") from error
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != 1 or len(outputs) != 1 or inputs[0].type not in DTYPES:
            raise ModelError("a served model has one input of uint8 or float32 rows and one output; export it again")
        self._input = inputs[0].name
        self.dtype = DTYPES[inputs[0].type]
        self.row_shape = tuple(inputs[0].shape[1:])

    def logits(self, inputs: np.ndarray, batch_size: int = 1024) -> npt.NDArray[np.float32]:
        """The logits of raw rows.

        Args:
            inputs: ``(n, *row_shape)`` in the served dtype; at least one row.
            batch_size: Rows at once; at least 1.

        Returns:
            ``(n, n_classes)`` float32; NaN stays NaN, and `zero_one_losses` refuses it.

        Raises:
            ModelError: The rows have another shape or dtype than the network was exported for.
        """
        if inputs.dtype != self.dtype or inputs.shape[1:] != self.row_shape or not len(inputs):
            raise ModelError(
                f"the served model takes {self.dtype} rows of shape {self.row_shape}, received "
                f"{len(inputs)} {inputs.dtype} rows of shape {inputs.shape[1:]}; give it the raw rows of its own data"
            )
        return np.concatenate(
            [
                self._session.run(None, {self._input: np.ascontiguousarray(inputs[start : start + batch_size])})[0]
                for start in range(0, len(inputs), batch_size)
            ]
        )
