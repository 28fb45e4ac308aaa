"""ONNX: a kept model as one file that onnxruntime runs, with its card inside.

The names in it are those of :mod:`fer_tune.serving.onnx_session`.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fer_tune.models.card import Card
from fer_tune.models.kept import KeptModel
from fer_tune.serving.export.graph import Exported, Variant, resized_by_products
from fer_tune.serving.extras import needs
from fer_tune.serving.onnx_session import (
    CARD_KEY,
    CLASSES_KEY,
    INPUT,
    OUTPUTS,
    PRECISION_KEY,
    PREPROCESSING_KEY,
    open_session,
)

#: Of ONNX's operators: what PyTorch's exporter writes without a conversion.
OPSET = 18


def to_onnx(kept: KeptModel, variant: Variant) -> bytes:
    """The model as the content of an ONNX file, with a dynamic number of pictures.

    Raises:
        EnvironmentFault: ``onnx``, ``onnxscript`` or ``onnxruntime`` is not installed.
    """
    # The export takes minutes, and is run by onnxruntime in the end.
    needs("onnx", "onnx")
    needs("onnx", "onnxscript")
    needs("onnx", "onnxruntime")
    inside = variant == "inside"
    module = Exported(kept, resized_by_products if inside else None).eval()
    crop = kept.card.preprocessing.crop_size
    # Two pictures, and sides that differ: a size of 1, or two equal ones, could become constants.
    height, width = (crop + 3, crop + 5) if inside else (crop, crop)
    example = torch.zeros((2, kept.card.preprocessing.channels, height, width), dtype=torch.uint8)
    sizes = {0: torch.export.Dim("n")}
    if inside:
        sizes |= {2: torch.export.Dim("height"), 3: torch.export.Dim("width")}
    with quiet("torch.onnx"):
        program = torch.onnx.export(
            module,
            (example,),
            dynamo=True,
            dynamic_shapes={INPUT: sizes},
            input_names=[INPUT],
            output_names=list(OUTPUTS),
            opset_version=OPSET,
            external_data=False,
            verbose=False,
        )
    assert program is not None
    proto = program.model_proto
    _without_traces(proto)
    return with_card(proto, kept.card, variant, "float32")


def with_card(proto: Any, card: Card, variant: Variant, precision: str) -> bytes:
    """The content of the file of an ONNX model, with our metadata."""
    onnx = needs("onnx", "onnx")
    onnx.helper.set_model_props(
        proto,
        {
            CARD_KEY: json.dumps(card.model_dump(mode="json"), ensure_ascii=False),
            PREPROCESSING_KEY: variant,
            CLASSES_KEY: json.dumps(card.classes, ensure_ascii=False),
            PRECISION_KEY: precision,
        },
    )
    content: bytes = proto.SerializeToString(deterministic=True)
    return content


class OnnxRunner:
    """Runs the content of an ONNX file: uint8 pictures to logits and probabilities."""

    def __init__(self, content: bytes) -> None:
        self._session = open_session(content)

    def __call__(self, pictures: Tensor) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        logits, probabilities = self._session.run(
            list(OUTPUTS), {INPUT: pictures.contiguous().numpy()}
        )
        return logits, probabilities


def _without_traces(proto: Any) -> None:
    """Removes the exporter's notes on where each node comes from: paths of this machine."""
    for part in (*proto.graph.node, *proto.graph.input, *proto.graph.output):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    for part in (*proto.graph.initializer, *proto.graph.value_info):
        part.ClearField("metadata_props")
    proto.graph.ClearField("metadata_props")
    proto.graph.ClearField("doc_string")


@contextmanager
def quiet(name: str | None) -> Iterator[None]:
    """Hides warnings of a library, and what it logs below errors: they concern its own code.

    Args:
        name: of its logger; None for the root.
    """
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
