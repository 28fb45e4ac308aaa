"""Whether an exported model computes what PyTorch computes.

Probabilities may differ by ``LIMIT``. That alone would not do: a weak or strongly calibrated model
gives every picture much the same probabilities, and hides an error. So the logits are compared,
too, and what they may differ by comes from the model itself: a share of what a normalisation that
is wrong by 1 % would change on the very same pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fer_tune.data.pixels import Pixels
from fer_tune.errors import ModelError
from fer_tune.models.kept import KeptModel
from fer_tune.models.network import Normalise
from fer_tune.serving.export.graph import Variant
from fer_tune.serving.export.pictures import batches
from fer_tune.serving.predictor import evaluation_view
from fer_tune.training.temperature import softmax

Floats = NDArray[np.float32]
Runner = Callable[[Tensor], tuple[Floats, Floats]]

#: Largest difference of a probability.
LIMIT = 1e-3
#: Largest difference of a logit, as a share of what an error of 1 % would change.
SHARE = 0.1
#: The same as a share of the largest logit: float32 has no more digits, in a sum of thousands.
ROUNDING = 1e-5
#: Numbers of pictures that are given to the exported model at once.
BATCH_SIZES = (1, 2, 7, 64)


@dataclass(frozen=True, kw_only=True)
class Check:
    """Largest differences between an exported model and PyTorch.

    Attributes:
        pictures: how many.
        probability: difference of a probability; at most ``LIMIT`` passes.
        logit: difference of a logit; at most ``logit_limit`` passes.
        equal_top: share of pictures with the same most probable class.
    """

    pictures: int
    probability: float
    logit: float
    logit_limit: float
    equal_top: float

    @property
    def passed(self) -> bool:
        # A comparison with NaN is false.
        return self.probability <= LIMIT and self.logit <= self.logit_limit


def check(kept: KeptModel, run: Runner, pixels: Sequence[Pixels], variant: Variant) -> Check:
    """Compares an exported model with PyTorch on ``pixels``, in batches of several sizes.

    Args:
        run: the exported model.
        pixels: decoded pictures, each uint8 (h, w, 1) or (h, w, 3).

    Raises:
        ModelError: the exported model does not run.
    """
    prepared = kept.card.preprocessing
    views = evaluation_view(pixels, prepared)
    expected = _logits(kept.network, views)
    wanted = softmax(expected, kept.card.temperature)
    logit, probability, equal = [], [], np.zeros(len(pixels), dtype=np.bool_)
    for size in BATCH_SIZES:
        # Small batches of a few pictures, all pictures in large ones.
        part = pixels if size == BATCH_SIZES[-1] else pixels[: 2 * size]
        for places, inputs in batches(part, prepared, variant, size):
            logits, probabilities = _run(run, inputs, expected.shape[1])
            logit.append(np.abs(logits - expected[places]).max())
            probability.append(np.abs(probabilities - wanted[places]).max())
            equal[places] = probabilities.argmax(axis=1) == wanted[places].argmax(axis=1)
    return Check(
        pictures=len(pixels),
        probability=float(np.max(probability)),
        logit=float(np.max(logit)),
        logit_limit=_logit_limit(kept.network, views, expected),
        equal_top=float(equal.mean()),
    )


def refuse_different(found: Check, what: str) -> None:
    """Raises ModelError if the exported model differs too much from PyTorch.

    Args:
        what: the exported file, for the message.
    """
    if found.passed:
        return
    if not found.probability <= LIMIT:
        difference, limit, of = found.probability, LIMIT, "a probability"
    else:
        difference, limit, of = found.logit, found.logit_limit, "a logit"
    raise ModelError(
        f"the exported model differs from PyTorch: {of} by {difference:.2g} on "
        f"{found.pictures} pictures, and {limit:.2g} is allowed. Nothing was written",
        where=what,
        remedy="Export in another format, and report this with your versions of torch, onnx and "
        "onnxruntime",
    )


def _run(run: Runner, inputs: Tensor, classes: int) -> tuple[Floats, Floats]:
    count = len(inputs)
    try:
        logits, probabilities = run(inputs)
    except Exception as error:
        # Both runtimes raise classes of their own, without a common base.
        reason = str(error).strip().partition("\n")[0]
        raise ModelError(f"the exported model does not run on {count} pictures: {reason}") from None
    if not logits.shape == probabilities.shape == (count, classes):
        raise ModelError(
            f"the exported model should give {(count, classes)} logits and probabilities",
            value=(logits.shape, probabilities.shape),
        )
    return logits, probabilities


def _logit_limit(network: nn.Sequential, views: Tensor, expected: Floats) -> float:
    """What a logit may differ by; see the module."""
    some = slice(None, None, max(1, len(views) // 16))
    changes = []
    for name in ("mean", "std"):
        wrong = Normalise()
        getattr(wrong, name).mul_(1.01)
        changed = _logits(nn.Sequential(wrong, *list(network)[1:]), views[some])
        changes.append(np.abs(changed - expected[some]).max())
    return float(max(SHARE * min(changes), ROUNDING * np.abs(expected).max()))


def _logits(network: nn.Sequential, views: Tensor) -> Floats:
    with torch.no_grad():
        done = [network(part).numpy() for part in torch.split(views, BATCH_SIZES[-1])]
    found: Floats = np.concatenate(done)
    return found
