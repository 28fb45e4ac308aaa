"""ONNX files that fer-tune exported, as models with the methods of a ``Predictor``.

The card is in their metadata; see :mod:`fer_tune.serving.onnx_session`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fer_tune.data.pixels import Pixels
from fer_tune.errors import EnvironmentFault, ModelError, UserError, reading
from fer_tune.models.card import Card
from fer_tune.models.card_file import parse_card
from fer_tune.schema import TooLarge, read_at_most
from fer_tune.schema.limits import CARD_BYTES, GIB
from fer_tune.serving.onnx_session import (
    CARD_KEY,
    INPUT,
    OUTPUTS,
    PREPROCESSING_KEY,
    open_session,
)
from fer_tune.serving.predictor import as_packed, evaluation_view
from fer_tune.storage import AnyPath
from fer_tune.training.temperature import softmax

#: Protocol buffers have at most 2 GiB.
MOST_BYTES = 2 * GIB

_EXPORT = "Export it with: fer-tune export MODEL --format onnx --out FILE"


class OnnxModel:
    """An exported model that predicts; the methods are those of ``Predictor``.

    Attributes:
        card: of the model that was exported.
        classes: in the order of the probabilities.
        device: that the file is run on.

    Args:
        where: the file.
        device: ``cpu``, ``cuda`` or ``cuda:1``; by default the CPU.
        batch_size: faces that go through the network at once.

    Raises:
        ModelError: not an ONNX file that fer-tune exported, or one that contradicts its card.
        EnvironmentFault: ``onnxruntime`` is not installed, or knows no such device.
    """

    def __init__(self, where: AnyPath, *, device: str | None = None, batch_size: int = 64) -> None:
        assert batch_size >= 1
        self.where, self.batch_size = where, batch_size
        self.device = device or "cpu"
        self._session = _session(_content(where), self.device, where)
        metadata = self._session.get_modelmeta().custom_metadata_map
        self.card: Card = _card(metadata, where)
        self.classes: tuple[str, ...] = tuple(self.card.classes)
        self._resizes = metadata.get(PREPROCESSING_KEY) == "inside"
        self._output = _checked_ends(self._session, self.card, self._resizes, where)

    def inputs(self, pixels: Sequence[Pixels]) -> Tensor:
        """The evaluation view, uint8 (n, c, crop, crop), of decoded pictures uint8 (h, w, 1|3)."""
        return evaluation_view(pixels, self.card.preprocessing)

    def probabilities(self, pixels: Sequence[Pixels]) -> NDArray[np.float32]:
        """Calibrated probabilities (n, classes) of decoded faces, each uint8 (h, w, 1|3).

        Raises:
            ModelError: the file cannot be run, or does not give a number per class.
        """
        if self._resizes:
            return self._of_any_size([as_packed(one, self.card.preprocessing) for one in pixels])
        return self._batches(self.inputs(pixels)) if len(pixels) else self._none()

    def probabilities_of(self, inputs: Tensor) -> NDArray[np.float32]:
        """Calibrated probabilities (n, classes) of inputs uint8 (n, c, crop, crop).

        Raises:
            UserError: the file crops pictures itself.
            ModelError: as :meth:`probabilities`.
        """
        if self._resizes:
            raise UserError(
                "this file resizes and crops pictures itself, so it cannot be given other crops",
                where=str(self.where),
                remedy="Export the model with --preprocess outside, or use --tta none",
            )
        return self._batches(inputs)

    def _of_any_size(self, pictures: Sequence[Pixels]) -> NDArray[np.float32]:
        """Pictures of one size go together."""
        found = np.empty((len(pictures), len(self.classes)), dtype=np.float32)
        sizes = np.array([one.shape[:2] for one in pictures]).reshape(-1, 2)
        for size in np.unique(sizes, axis=0):
            places = np.flatnonzero((sizes == size).all(axis=1))
            stacked = np.stack([pictures[int(place)] for place in places])
            found[places] = self._batches(torch.from_numpy(stacked).permute(0, 3, 1, 2))
        return found

    def _batches(self, pictures: Tensor) -> NDArray[np.float32]:
        starts = range(0, len(pictures), self.batch_size)
        parts = [self._batch(pictures[start : start + self.batch_size]) for start in starts]
        return np.concatenate([self._none(), *parts])

    def _none(self) -> NDArray[np.float32]:
        return np.empty((0, len(self.classes)), dtype=np.float32)

    def _batch(self, pictures: Tensor) -> NDArray[np.float32]:
        given = {INPUT: pictures.cpu().contiguous().numpy()}
        try:
            values = self._session.run([self._output], given)[0]
        except Exception as error:
            # onnxruntime's exceptions have no base class of their own.
            reason = str(error).partition("\n")[0]
            raise ModelError(
                f"onnxruntime cannot run it: {reason}", where=str(self.where), remedy=_EXPORT
            ) from None
        values = np.asarray(values, dtype=np.float32)
        if values.shape != (len(pictures), len(self.classes)) or not np.isfinite(values).all():
            raise ModelError(
                f"does not give {len(self.classes)} finite numbers per picture, one per class",
                where=str(self.where),
                value=values.shape,
                remedy=_EXPORT,
            )
        if self._output == "probabilities":
            return values
        return softmax(values, self.card.temperature)


def _content(where: AnyPath) -> bytes:
    with reading(where, ModelError):
        try:
            return read_at_most(where.resolve(), MOST_BYTES)
        except TooLarge as error:
            raise ModelError(f"is {error}", where=str(where), remedy=_EXPORT) from None


def _session(content: bytes, device: str, where: AnyPath) -> Any:
    try:
        return open_session(content, device)
    except EnvironmentFault:
        raise
    except Exception:
        # The reader of a foreign file raises anything.
        raise _foreign(where) from None


def _card(metadata: Mapping[str, str], where: AnyPath) -> Card:
    text = metadata.get(CARD_KEY)
    if text is None:
        raise _foreign(where)
    if len(text) > CARD_BYTES:
        raise _contradicting(f"its {CARD_KEY} is too long", where)
    content = text.encode(errors="surrogatepass")
    return parse_card(content, f"{where}, {CARD_KEY}", remedy=_EXPORT)


def _checked_ends(session: Any, card: Card, resizes: bool, where: AnyPath) -> str:
    """The name of the output, after checking input and output against the card."""
    inputs, names = session.get_inputs(), [one.name for one in session.get_outputs()]
    output = next((name for name in reversed(OUTPUTS) if name in names), None)
    if len(inputs) != 1 or inputs[0].name != INPUT or output is None:
        raise _contradicting(
            f"its input must be {INPUT}, its output {' or '.join(reversed(OUTPUTS))}",
            where,
            ", ".join([*(one.name for one in inputs), *names])[:200],
        )
    prepared, shape = card.preprocessing, tuple(inputs[0].shape)
    side = "any" if resizes else prepared.crop_size
    wanted = (prepared.channels, side, side)
    # A size that may vary has a name instead of a number.
    fits = len(shape) == 4 and all(
        needed == "any" if not isinstance(size, int) else size == needed
        for size, needed in zip(shape[1:], wanted, strict=True)
    )
    if inputs[0].type != "tensor(uint8)" or not fits:
        raise _contradicting(
            f"its input must be tensor(uint8) (n, {', '.join(map(str, wanted))}), as its card says",
            where,
            f"{inputs[0].type} {shape}"[:200],
        )
    return output


def _foreign(where: AnyPath) -> ModelError:
    return ModelError("not an ONNX file exported by fer-tune", where=str(where), remedy=_EXPORT)


def _contradicting(what: str, where: AnyPath, value: object = None) -> ModelError:
    return ModelError(what, where=str(where), value=value, remedy=_EXPORT)
