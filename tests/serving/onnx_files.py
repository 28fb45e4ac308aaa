"""ONNX files made by hand: logits are a linear function of the mean of each channel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from fer_tune.models.card import Card
from fer_tune.models.registry import IMAGENET_MEAN, IMAGENET_STD

WEIGHTS_SEED = 3
#: Of ONNX's TensorProto.
FLOAT, UINT8 = 1, 2


def linear_weights(channels: int, classes: int) -> np.ndarray:
    """Weights (channels, classes) of the files."""
    rng = np.random.default_rng(WEIGHTS_SEED)
    return rng.normal(size=(channels, classes)).astype(np.float32)


def linear_model(
    path: Path,
    card: Card,
    *,
    inside: bool = False,
    output: str = "logits",
    name: str = "pictures",
    classes: int | None = None,
    crop: int | None = None,
    kind: int = UINT8,
    metadata: dict[str, str] | None = None,
) -> Path:
    """Writes such a file.

    Args:
        inside: whether it takes pictures of any size.
        output: ``logits`` or ``probabilities``.
        metadata: instead of what an export writes.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    number = len(card.classes) if classes is None else classes
    size = card.preprocessing.crop_size if crop is None else crop
    sides = ["height", "width"] if inside else [size, size]
    values = {
        "mean": np.array(IMAGENET_MEAN, np.float32).reshape(1, 3, 1, 1),
        "std": np.array(IMAGENET_STD, np.float32).reshape(1, 3, 1, 1),
        "scale": np.array(255, np.float32),
        "axes": np.array([2, 3], np.int64),
        "weights": linear_weights(3, number),
    }
    last, steps = name, []

    def then(kind: str, *others: str, **settings: Any) -> None:
        nonlocal last
        out = f"step{len(steps)}"
        steps.append(helper.make_node(kind, [last, *others], [out], **settings))
        last = out

    then("Cast", to=TensorProto.FLOAT)
    then("Div", "scale")
    then("Sub", "mean")
    then("Div", "std")
    then("ReduceMean", "axes", keepdims=0)
    then("MatMul", "weights")
    if output == "probabilities":
        then("Softmax", axis=1)
    steps[-1].output[0] = output
    shape = ["n", card.preprocessing.channels, *sides]
    graph = helper.make_graph(
        steps,
        "linear",
        [helper.make_tensor_value_info(name, kind, shape)],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n", number])],
        [numpy_helper.from_array(value, key) for key, value in values.items()],
    )
    opset = [helper.make_opsetid("", 18)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=9)
    written = {
        "fer_tune.card": card.model_dump_json(),
        "fer_tune.preprocessing": "inside" if inside else "outside",
    }
    helper.set_model_props(model, written if metadata is None else metadata)
    onnx.save(model, path)
    return path
