"""TorchScript: a kept model as one file that ``torch.jit.load`` reads, also in C++.

Its function has input and outputs of :mod:`fer_tune.serving.export.graph`; ``card.json``,
``classes.json`` and ``preprocessing`` are extra files inside it.
"""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fer_tune.models.kept import KeptModel
from fer_tune.serving.export.graph import Exported, Variant, resized_by_torch


def to_torchscript(kept: KeptModel, variant: Variant) -> bytes:
    """The model as the content of a TorchScript file, with a dynamic number of pictures."""
    module = Exported(kept, resized_by_torch if variant == "inside" else None).eval()
    prepared = kept.card.preprocessing
    shape = (2, prepared.channels, prepared.crop_size, prepared.crop_size)
    out = io.BytesIO()
    with _deprecated(), torch.no_grad():
        # The network has no branch that depends on a picture, so that one trace is all of it.
        traced = torch.jit.trace(module, torch.zeros(shape, dtype=torch.uint8), check_trace=False)  # type: ignore[no-untyped-call]
        torch.jit.save(
            traced,
            out,
            _extra_files={
                "card.json": json.dumps(kept.card.model_dump(mode="json"), ensure_ascii=False),
                "classes.json": json.dumps(kept.card.classes, ensure_ascii=False),
                "preprocessing": variant,
            },
        )
    return out.getvalue()


class TorchScriptRunner:
    """Runs the content of a TorchScript file: uint8 pictures to logits and probabilities."""

    def __init__(self, content: bytes) -> None:
        with _deprecated():
            self._module = torch.jit.load(io.BytesIO(content), map_location="cpu")  # type: ignore[no-untyped-call]

    def __call__(self, pictures: Tensor) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        with torch.no_grad():
            logits, probabilities = self._module(pictures)
        return logits.numpy(), probabilities.numpy()


@contextmanager
def _deprecated() -> Iterator[None]:
    """PyTorch advises against TorchScript; who asks for the format has old programs to feed."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*torch.jit.*", category=DeprecationWarning)
        warnings.filterwarnings("ignore", message=".*torch.jit.*", category=FutureWarning)
        yield
