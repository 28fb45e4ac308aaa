"""Pictures to predictions, in batches: read, find the faces, predict, in the order given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fer_tune.data.pixels import Pixels, UnusableError, canonical
from fer_tune.models.card import Card
from fer_tune.serving.faces import Detector, Face, Mode, faces_of
from fer_tune.serving.pictures import Picture
from fer_tune.serving.predictor import Predictor

#: Probability below which a prediction is marked as uncertain.
UNCERTAIN = 0.5


@dataclass(frozen=True, kw_only=True, eq=False)
class FacePrediction:
    """The prediction for one face.

    Attributes:
        face: where it was detected; None of a picture that was taken as a whole.
        pixels: what the network saw of it, before preprocessing; None where it was not kept.
        expression: the most probable class.
        probability: of that class, 0 to 1.
        probabilities: of all classes, (classes,).
        uncertain: ``probability`` is below the threshold.
    """

    face: Face | None
    pixels: Pixels | None
    expression: str
    probability: float
    probabilities: NDArray[np.float32]
    uncertain: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class PicturePrediction:
    """The predictions for one picture.

    Attributes:
        faces: the largest first; empty if no face was found.
        error: why the picture could not be read; None if it could.
    """

    name: str
    faces: tuple[FacePrediction, ...] = ()
    error: str | None = None


@dataclass(kw_only=True)
class FaceReader:
    """Finds the faces of pictures and predicts their expressions.

    Args:
        mode: which part of a picture is a face; see :func:`fer_tune.serving.faces.faces_of`.
        threshold: probability below which a prediction is uncertain, 0 to 1.
        calibrated: see :meth:`Predictor.probabilities`.
    """

    predictor: Predictor
    detector: Detector
    mode: Mode = "auto"
    threshold: float = UNCERTAIN
    calibrated: bool = True

    @property
    def side(self) -> int:
        """Of the pictures that the model was trained on, in pixels; faces are cropped to it."""
        return training_side(self.predictor.card)

    def crops(self, pixels: Pixels) -> list[tuple[Face | None, Pixels]]:
        """The faces of a decoded picture, the largest first, each with what the network sees."""
        found = faces_of(pixels, self.mode, self.detector, side=self.side)
        # A whole photograph would be kept until its batch is complete.
        most = self.predictor.card.preprocessing.max_side
        return [(one.face, canonical(one.pixels, most)) for one in found]

    def faces(self, crops: Sequence[tuple[Face | None, Pixels]]) -> list[FacePrediction]:
        """The predictions for faces that were cropped."""
        pixels = [crop for _, crop in crops]
        rows = self.predictor.probabilities(pixels, calibrated=self.calibrated)
        return [
            self._prediction(face, crop, row) for (face, crop), row in zip(crops, rows, strict=True)
        ]

    def read(self, pictures: Iterable[Picture]) -> Iterator[PicturePrediction]:
        """Predicts ``pictures`` in their order, as many faces at once as the predictor takes."""
        waiting: list[tuple[str, list[tuple[Face | None, Pixels]], str | None]] = []
        count = 0
        for picture in pictures:
            crops, error = [], None
            try:
                crops = self.crops(picture.read())
            except UnusableError as reason:
                error = str(reason)
            waiting.append((picture.name, crops, error))
            count += len(crops)
            is_full = count >= self.predictor.batch_size or len(waiting) >= _MOST_WAITING
            if is_full or error is not None:  # who wants to stop at an error can do so now
                yield from self._predicted(waiting)
                waiting, count = [], 0
        yield from self._predicted(waiting)

    def _predicted(
        self, waiting: Sequence[tuple[str, list[tuple[Face | None, Pixels]], str | None]]
    ) -> Iterator[PicturePrediction]:
        faces = iter(self.faces([crop for _, crops, _ in waiting for crop in crops]))
        for name, crops, error in waiting:
            own = tuple(next(faces) for _ in crops)
            yield PicturePrediction(name=name, faces=own, error=error)

    def _prediction(
        self, face: Face | None, crop: Pixels, row: NDArray[np.float32]
    ) -> FacePrediction:
        best = int(row.argmax())
        return FacePrediction(
            face=face,
            pixels=crop,
            expression=self.predictor.classes[best],
            probability=float(row[best]),
            probabilities=row,
            uncertain=bool(row[best] < self.threshold),
        )


def training_side(card: Card) -> int:
    """Side in pixels of the pictures that a model was trained on, and so of the crops for it."""
    audit, prepared = card.dataset.audit, card.preprocessing
    if audit is None or not audit.largest:
        return prepared.crop_size
    return max(1, min(max(audit.largest), prepared.max_side))


def without_pixels(prediction: PicturePrediction) -> PicturePrediction:
    """The same without what the network saw, to keep many of them."""
    faces = tuple(replace(face, pixels=None) for face in prediction.faces)
    return replace(prediction, faces=faces)


#: Pictures that are kept before their faces are predicted.
_MOST_WAITING = 256
#: Columns of a table of predictions besides those of the classes.
COLUMNS = (
    *("picture", "face", "left", "top", "right", "bottom", "face_score"),
    *("expression", "probability", "uncertain"),
)


def rows_of(prediction: PicturePrediction, classes: Sequence[str]) -> list[dict[str, object]]:
    """Rows of a table: one per face, or one without an expression where there is no face.

    Columns are those of ``COLUMNS`` and one per class, its probability. Faces count from 1.
    """
    nothing: dict[str, object] = dict.fromkeys([*COLUMNS, *class_columns(classes)])
    if not prediction.faces:
        return [{**nothing, "picture": prediction.name}]
    return [
        {
            **nothing,
            "picture": prediction.name,
            "face": number,
            **_place(one.face),
            "expression": one.expression,
            "probability": one.probability,
            "uncertain": one.uncertain,
            **dict(zip(class_columns(classes), map(float, one.probabilities), strict=True)),
        }
        for number, one in enumerate(prediction.faces, 1)
    ]


def frame_of_rows(rows: Sequence[dict[str, object]], classes: Sequence[str]) -> pd.DataFrame:
    """Rows of :func:`rows_of` as a frame with the same columns and types, whatever is in it."""
    frame = pd.DataFrame(list(rows), columns=[*COLUMNS, *class_columns(classes)])
    numbers = [c for c in frame.columns if c not in ("picture", "face", "expression", "uncertain")]
    kinds = {"picture": "str", "expression": "str", "face": "Int64", "uncertain": "boolean"}
    return frame.astype({**kinds, **dict.fromkeys(numbers, "float64")})


def class_columns(classes: Sequence[str], others: Sequence[str] = COLUMNS) -> list[str]:
    """Column names of the classes: their own, or a longer one where another column has it."""
    names: list[str] = []
    for name in classes:
        while name in others or name in names:
            name += "_probability"
        names.append(name)
    return names


def _place(face: Face | None) -> dict[str, object]:
    if face is None:
        return {}
    left, top, right, bottom = (round(edge, 1) for edge in face.box)
    return {
        "left": left,
        "top": top,
        "right": right,
        "bottom": bottom,
        "face_score": round(face.score, 4),
    }
