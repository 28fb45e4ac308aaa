"""A kept model that predicts: pictures in, calibrated probabilities out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fer_tune.data import view_pictures
from fer_tune.data.pixels import Pixels, canonical
from fer_tune.errors import DataError, EnvironmentFault
from fer_tune.models.card import Card, Preprocessing
from fer_tune.models.kept import KeptModel
from fer_tune.training.device.compute import Compute
from fer_tune.training.temperature import softmax

if TYPE_CHECKING:
    import pandas as pd

    from fer_tune.serving.faces import Detector, Mode

#: ITU-R 601-2 luma, as Pillow converts colour to grey, in units of 1/65,536.
_LUMA = np.array([19595, 38470, 7471], dtype=np.uint32)


class Predictor:
    """Predicts expressions of faces.

    Attributes:
        card: of the model.
        classes: in the order of the probabilities.

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:1``; by default an accelerator where there is one.
        batch_size: faces that go through the network at once.

    Raises:
        EnvironmentFault: there is no such device.

    Example::

        predictor = Predictor(find_model("results/quickstart-20260101-120000"))
        probabilities = predictor.probabilities([decode(open("face.png", "rb"))])
    """

    def __init__(self, kept: KeptModel, *, device: str | None = None, batch_size: int = 64) -> None:
        assert batch_size >= 1
        self.card: Card = kept.card
        self.classes: tuple[str, ...] = tuple(kept.card.classes)
        self.batch_size = batch_size
        self._compute = _compute(kept.card, device)
        self._network = kept.network.to(self._compute.device)

    @property
    def device(self) -> str:
        return str(self._compute.device)

    @property
    def network(self) -> nn.Sequential:
        """From uint8 pictures (n, c, crop, crop) on ``device`` to logits; in eval mode."""
        return self._network

    def inputs(self, pixels: Sequence[Pixels]) -> Tensor:
        """The network's input: uint8 (n, c, crop, crop), the evaluation view of training.

        Args:
            pixels: decoded pictures, each uint8 (h, w, 1) or (h, w, 3).
        """
        return evaluation_view(pixels, self.card.preprocessing, device=self.device)

    def logits(self, pixels: Sequence[Pixels]) -> NDArray[np.float32]:
        """Logits (n, classes) of decoded faces, each uint8 (h, w, 1) or (h, w, 3)."""
        return self.logits_of(self.inputs(pixels)) if len(pixels) else self._none()

    def probabilities(
        self, pixels: Sequence[Pixels], *, calibrated: bool = True
    ) -> NDArray[np.float32]:
        """Probabilities (n, classes) of decoded faces, each uint8 (h, w, 1) or (h, w, 3).

        Args:
            calibrated: divide the logits by the card's temperature; else the softmax of the search.
        """
        return self.softmax(self.logits(pixels), calibrated=calibrated)

    def predict(
        self,
        pictures: object,
        *,
        faces: Mode = "auto",
        threshold: float = 0.5,
        detector: Detector | None = None,
    ) -> pd.DataFrame:
        """The expressions of the faces in ``pictures``.

        Args:
            pictures: a path, an array uint8 (h, w), (h, w, 1) or (h, w, 3), or a PIL image; or
                several of them.
            faces: ``never`` takes each picture for a face, ``always`` detects faces; ``auto`` does
                so in pictures larger than those the model was trained on.
            threshold: probability below which a prediction is marked as uncertain.
            detector: of faces; MTCNN by default.

        Returns:
            A row per face, and one without an expression per picture without a face: ``picture``,
            ``face`` (its number in the picture, from 1), ``left``, ``top``, ``right``, ``bottom``
            and ``face_score`` of a detected face, ``expression``, ``probability``, ``uncertain``,
            and the probability of each class under its name.

        Raises:
            DataError: a picture cannot be read, or another mode of ``faces``.
            EnvironmentFault: no face detector is installed.
        """
        from fer_tune.serving.faces import Deferred, Mode
        from fer_tune.serving.pictures import given_pictures
        from fer_tune.serving.prediction import FaceReader, frame_of_rows, rows_of

        if faces not in get_args(Mode):
            raise DataError(
                f"must be one of {', '.join(get_args(Mode))}", where="faces", value=faces
            )
        reader = FaceReader(
            predictor=self,
            detector=detector or Deferred(),
            mode=faces,
            threshold=threshold,
        )
        rows: list[dict[str, object]] = []
        for one in reader.read(given_pictures(pictures)):
            if one.error is not None:
                raise DataError(one.error, where=one.name)
            rows += rows_of(one, self.classes)
        return frame_of_rows(rows, self.classes)

    def logits_of(self, inputs: Tensor) -> NDArray[np.float32]:
        """Logits (n, classes) of inputs uint8 (n, c, crop, crop)."""
        found = [self._none()]
        with torch.no_grad():
            for start in range(0, len(inputs), self.batch_size):
                batch = inputs[start : start + self.batch_size].to(self._compute.device)
                with self._compute.autocast():
                    found.append(self._network(batch).float().cpu().numpy())
        return np.concatenate(found)

    def probabilities_of(self, inputs: Tensor) -> NDArray[np.float32]:
        """Calibrated probabilities (n, classes) of inputs uint8 (n, c, crop, crop)."""
        return self.softmax(self.logits_of(inputs))

    def softmax(
        self, logits: NDArray[np.float32], *, calibrated: bool = True
    ) -> NDArray[np.float32]:
        """Probabilities (n, classes) of logits (n, classes)."""
        return softmax(logits, self.card.temperature if calibrated else 1.0)

    def _none(self) -> NDArray[np.float32]:
        return np.empty((0, len(self.classes)), dtype=np.float32)


def evaluation_view(
    pixels: Sequence[Pixels], prepared: Preprocessing, *, device: str = "cpu"
) -> Tensor:
    """The evaluation view of decoded pictures, uint8 (n, c, crop, crop), as training made it."""
    packed = [as_packed(one, prepared) for one in pixels]
    return view_pictures(
        _Loose(packed),
        np.arange(len(packed)),
        crop_size=prepared.crop_size,
        policy="plain",
        view=None,
        seed=0,
        resize_ratio=prepared.resize_ratio,
        device=device,
    )


def as_packed(pixels: Pixels, prepared: Preprocessing) -> Pixels:
    """A picture as the import would have packed it into the dataset of the search."""
    packed = canonical(pixels, prepared.max_side)
    channels = packed.shape[2]
    if channels == prepared.channels:
        return packed
    if prepared.channels == 3:
        return np.repeat(packed, 3, axis=2)
    return _grey(packed)


def _grey(pixels: Pixels) -> Pixels:
    """Colour (h, w, 3) to grey (h, w, 1), rounded as Pillow does."""
    weighted = pixels.astype(np.uint32) @ _LUMA
    return ((weighted + 0x8000) >> 16).astype(np.uint8)[:, :, None]


class _Loose:
    """Decoded pictures as a dataset for views."""

    def __init__(self, pictures: Sequence[Pixels]) -> None:
        self._pictures = pictures

    @property
    def sizes(self) -> NDArray[np.int64]:
        return np.array([one.shape[:2] for one in self._pictures], dtype=np.int64)

    def picture(self, position: int) -> Pixels:
        return self._pictures[position]


def _compute(card: Card, device: str | None) -> Compute:
    """The device, and the arithmetic of the search where the device has it."""
    try:
        chosen = Compute.choose("auto" if card.precision == "bfloat16" else "float32", device)
        torch.empty(1, device=chosen.device)
        if chosen.device.type not in ("cpu", "cuda"):
            raise RuntimeError("untested")
    except (RuntimeError, AssertionError):
        raise EnvironmentFault(
            "no such device here",
            where="--device",
            value=device,
            remedy="Use cpu, or leave --device out",
        ) from None
    return chosen
