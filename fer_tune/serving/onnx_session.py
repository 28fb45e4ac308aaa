"""ONNX files of fer_tune: the names in them, and how onnxruntime opens them.

::

    input                   pictures       uint8, see fer_tune.serving.export.graph
    outputs                 logits         float32 (n, classes)
                            probabilities  float32 (n, classes), calibrated
    metadata                fer_tune.card           card.json
                            fer_tune.preprocessing  inside or outside
                            fer_tune.classes        names as a JSON list, in the outputs' order
                            fer_tune.precision      float32 or int8
"""

from __future__ import annotations

import re
from typing import Any

from fer_tune.errors import EnvironmentFault
from fer_tune.serving.extras import needs

#: Names of the input and of the outputs.
INPUT, OUTPUTS = "pictures", ("logits", "probabilities")
#: Keys of the metadata.
CARD_KEY, PREPROCESSING_KEY = "fer_tune.card", "fer_tune.preprocessing"
CLASSES_KEY, PRECISION_KEY = "fer_tune.classes", "fer_tune.precision"

_CPU, _CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


def open_session(content: bytes, device: str = "cpu") -> Any:
    """An ``onnxruntime.InferenceSession`` of the content of an ONNX file.

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:1``.

    Raises:
        EnvironmentFault: onnxruntime is not installed, or has no such device.
        Exception: onnxruntime cannot read the content; of any class.
    """
    runtime = needs("onnx", "onnxruntime")
    provider, settings = _provider(device)
    if provider not in runtime.get_available_providers():
        raise _no_device(device)
    try:
        session = _session(runtime, content, (provider, settings))
    except Exception:
        if provider != _CPU:
            # The file or the device: the CPU can open every file that is right.
            _session(runtime, content, (_CPU, {}))
            raise _no_device(device) from None
        raise
    # Without the libraries of a device, onnxruntime uses the CPU without an error.
    if provider not in session.get_providers():
        raise _no_device(device)
    return session


def _session(runtime: Any, content: bytes, provider: tuple[str, dict[str, int]]) -> Any:
    options = runtime.SessionOptions()
    options.log_severity_level = 3  # its warnings are about optimisations that it leaves out
    # Its fallback would print to the terminal, and use another device.
    return runtime.InferenceSession(content, options, providers=[provider], enable_fallback=0)


def _provider(device: str) -> tuple[str, dict[str, int]]:
    """What onnxruntime calls a device, and its settings."""
    if device == "cpu":
        return _CPU, {}
    found = re.fullmatch(r"cuda(?::([0-9]{1,4}))?", device)
    if found is None:
        raise _no_device(device)
    return _CUDA, {"device_id": int(found[1] or 0)}


def _no_device(device: str) -> EnvironmentFault:
    return EnvironmentFault(
        "onnxruntime has no such device here",
        where="--device",
        value=device,
        remedy="Use cpu, or leave --device out",
    )
