"""One export, from a kept model to the content of a file that was checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from fer_tune.data import PackedDataset
from fer_tune.models.card import Card
from fer_tune.models.kept import KeptModel
from fer_tune.scores import confusion, macro_f1
from fer_tune.serving.evaluation import labelled
from fer_tune.serving.export.checking import Check, Runner, check, refuse_different
from fer_tune.serving.export.graph import Variant
from fer_tune.serving.export.onnx_file import OnnxRunner, to_onnx
from fer_tune.serving.export.pictures import (
    CALIBRATED,
    CHECKED,
    batches,
    decoded,
    made_pictures,
    search_pictures,
)
from fer_tune.serving.export.quantise import to_int8
from fer_tune.serving.export.torchscript import TorchScriptRunner, to_torchscript

Format = Literal["onnx", "torchscript"]

_BATCH = 64


@dataclass(frozen=True, kw_only=True)
class Scored:
    """Macro-F1 on validation pictures, each in 0 to 1.

    Attributes:
        pictures: how many.
        before: of the model in float32, run by onnxruntime.
        after: with 8-bit integers.
        equal_top: share of pictures with the same most probable class.
        calibrated: how many training pictures set the ranges.
    """

    pictures: int
    before: float
    after: float
    equal_top: float
    calibrated: int


@dataclass(frozen=True, kw_only=True)
class Made:
    """The content of a file, and what its checks found.

    Attributes:
        check: of the model in float32, also where the file has 8-bit integers.
        float_bytes: size of the file in float32.
        int8: None without 8-bit integers.
    """

    content: bytes
    check: Check
    float_bytes: int
    int8: Scored | None


def make(
    kept: KeptModel,
    kind: Format,
    *,
    variant: Variant,
    dataset: PackedDataset | None,
    int8: bool = False,
) -> Made:
    """Exports a model and checks the result against PyTorch.

    Args:
        dataset: of the model's search, to check with its validation pictures; without it generated
            ones. ``int8`` needs it.

    Raises:
        UserError: ``dataset`` is another one than that of the search.
        ModelError: the exported model differs from PyTorch.
        EnvironmentFault: a library that the format needs is not installed.
    """
    card = kept.card
    if dataset is None:
        checked = made_pictures(card.preprocessing)
    else:
        checked = search_pictures(dataset, card, "validation", CHECKED)
    content = to_onnx(kept, variant) if kind == "onnx" else to_torchscript(kept, variant)
    run: Runner = OnnxRunner(content) if kind == "onnx" else TorchScriptRunner(content)
    found = check(kept, run, checked, variant)
    refuse_different(found, str(kept.folder))
    if not int8:
        return Made(content=content, check=found, float_bytes=len(content), int8=None)
    assert kind == "onnx" and dataset is not None
    training = search_pictures(dataset, card, "train", CALIBRATED)
    small = to_int8(content, card, training, variant)
    scored = _scored(run, OnnxRunner(small), dataset, card, variant, len(training))
    return Made(content=small, check=found, float_bytes=len(content), int8=scored)


def _scored(
    before: Runner,
    after: Runner,
    dataset: PackedDataset,
    card: Card,
    variant: Variant,
    calibrated: int,
) -> Scored:
    on = labelled(dataset, "validation", card)
    count = len(on.positions)
    predicted = np.empty((2, count), dtype=np.int64)
    # A validation split may not fit into memory: never more than a batch is decoded.
    for start in range(0, count, _BATCH):
        pixels = decoded(dataset, on.positions[start : start + _BATCH])
        for places, inputs in batches(pixels, card.preprocessing, variant, _BATCH):
            for row, run in enumerate((before, after)):
                predicted[row, start + places] = run(inputs)[0].argmax(axis=1)
    scores = [float(macro_f1(confusion(on.labels, one, len(card.classes)))) for one in predicted]
    return Scored(
        pictures=count,
        before=scores[0],
        after=scores[1],
        equal_top=float((predicted[0] == predicted[1]).mean()),
        calibrated=calibrated,
    )
