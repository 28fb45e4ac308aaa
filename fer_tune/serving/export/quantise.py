"""ONNX with 8-bit integers: static quantisation, calibrated on training pictures.

Weights per channel and activations per tensor, as pairs of QuantizeLinear and DequantizeLinear
around the float operators, which onnxruntime merges into integer ones (Jacob et al. 2018,
"Quantization and training of neural networks for efficient integer-arithmetic-only inference").
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_tune.data.pixels import Pixels
from fer_tune.models.card import Card
from fer_tune.serving.export.graph import Variant
from fer_tune.serving.export.onnx_file import quiet, with_card
from fer_tune.serving.export.pictures import batches
from fer_tune.serving.extras import needs
from fer_tune.serving.onnx_session import INPUT
from fer_tune.storage.paths import scratch_folder

#: Pictures at once while ranges are measured: every activation of a batch is kept.
_BATCH = 16


def to_int8(content: bytes, card: Card, pixels: Sequence[Pixels], variant: Variant) -> bytes:
    """The ONNX file ``content`` with 8-bit weights and activations.

    Args:
        content: as :func:`fer_tune.serving.export.onnx_file.to_onnx` makes it.
        pixels: decoded training pictures, for the ranges of the activations.
    """
    onnx, quantization = needs("onnx", "onnx"), needs("onnx", "onnxruntime.quantization")
    shapes = needs("onnx", "onnxruntime.quantization.shape_inference")
    with scratch_folder() as folder, quiet(None):  # onnxruntime logs to the root
        plain, prepared, done = (folder / f"{name}.onnx" for name in ("plain", "prepared", "int8"))
        plain.write_bytes(content)
        # Merges batch normalisation into the convolutions, whose ranges are then those that count.
        shapes.quant_pre_process(str(plain), str(prepared), skip_symbolic_shape=True)
        quantization.quantize_static(
            str(prepared),
            str(done),
            _Reader(pixels, card, variant),
            quant_format=quantization.QuantFormat.QDQ,
            per_channel=True,
            reduce_range=True,  # without VNNI, sums of 8-bit products overflow 16 bits
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            nodes_to_exclude=_around_the_network(onnx.load(str(prepared))),
        )
        return with_card(onnx.load(str(done)), card, variant, "int8")


def _around_the_network(proto: Any) -> list[str]:
    """Names of the nodes before the first convolution and after the head: they stay in float."""
    nodes = proto.graph.node
    kinds = [node.op_type for node in nodes]
    first = kinds.index("Conv")
    last = len(kinds) - 1 - kinds[::-1].index("Gemm")
    return [node.name for place, node in enumerate(nodes) if not first <= place <= last]


class _Reader:
    """Gives onnxruntime the calibration pictures, batch by batch."""

    def __init__(self, pixels: Sequence[Pixels], card: Card, variant: Variant) -> None:
        self._batches = batches(pixels, card.preprocessing, variant, _BATCH)

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        found = next(self._batches, None)
        return None if found is None else {INPUT: found[1].numpy()}
