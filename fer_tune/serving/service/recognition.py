"""What a replica does with pictures; without Ray, and without torch until one is made."""

from __future__ import annotations

import io
import socket
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fer_tune.errors import EnvironmentFault, ModelError, reading
from fer_tune.models.card import Card
from fer_tune.models.card_file import CARD, WEIGHTS, check_weights, read_card
from fer_tune.schema import TooLarge, read_at_most
from fer_tune.schema.limits import MODEL_BYTES
from fer_tune.serving.finding import model_folder
from fer_tune.serving.service.backend import Upload
from fer_tune.storage import AnyPath, any_path

if TYPE_CHECKING:
    from fer_tune.serving.pictures import Picture


@dataclass(frozen=True, kw_only=True)
class Recognising:
    """How pictures are predicted.

    Attributes:
        faces: as of ``fer-tune predict --faces``.
        threshold: probability below which a prediction is uncertain, 0 to 1.
        batch: faces that go through the network at once.
        pixels: of one picture, at most.
        gpus: that this process holds, or its share of one; 0 for the CPU.
        threads: of PyTorch.
    """

    faces: Literal["auto", "always", "never"] = "auto"
    threshold: float = 0.5
    batch: int = 16
    pixels: int = 32_000_000
    gpus: float = 0
    threads: int = 1


@dataclass(frozen=True, kw_only=True, eq=False)
class ModelFiles:
    """A kept model as bytes: a copy that does not depend on its folder any more.

    Attributes:
        card: the content of ``card.json``.
        weights: the content of ``model.safetensors``.
    """

    card: bytes
    weights: bytes


def read_model(where: AnyPath | str) -> tuple[Card, ModelFiles]:
    """The model at ``where``, see :func:`fer_tune.serving.finding.find_model`; without torch.

    Raises:
        ModelError: no model there, or damaged. Whether the tensors are those of the card's network
            is checked by whoever opens the copy.
    """
    folder = model_folder(any_path(where))
    card = read_card(folder)
    with reading(folder / WEIGHTS, ModelError):
        try:
            weights = read_at_most(folder / WEIGHTS, MODEL_BYTES)
        except TooLarge as error:
            raise ModelError(f"is {error}", where=str(folder / WEIGHTS)) from None
    check_weights(weights, card, folder / WEIGHTS)
    text = card.model_dump_json().encode()
    return card, ModelFiles(card=text, weights=weights)


class Recogniser:
    """Pictures in, documents out.

    Raises:
        ModelError: the model cannot be used.
        EnvironmentFault: no face detector is installed, or torch can use no GPU.
    """

    def __init__(self, files: ModelFiles, settings: Recognising) -> None:
        import torch

        from fer_tune.models.kept import open_model
        from fer_tune.serving.faces import Deferred, load_detector
        from fer_tune.serving.prediction import FaceReader
        from fer_tune.serving.predictor import Predictor

        torch.set_num_threads(settings.threads)
        device = _held(settings.gpus) if settings.gpus else "cpu"
        with _as_folder(files) as folder:
            kept = open_model(folder)
        self._reader = FaceReader(
            predictor=Predictor(kept, device=device, batch_size=settings.batch),
            detector=Deferred() if settings.faces == "never" else load_detector(),
            mode=settings.faces,
            threshold=settings.threshold,
        )
        self._pixels = settings.pixels

    def recognise(self, requests: Sequence[Sequence[Upload]]) -> list[list[dict[str, Any]]]:
        """The documents of each request's pictures; all their faces in batches together."""
        from fer_tune.serving.output import document

        classes = self._reader.predictor.classes
        pictures = (self._picture(upload) for uploads in requests for upload in uploads)
        found = (document(one, classes) for one in self._reader.read(pictures))
        return [[next(found) for _ in uploads] for uploads in requests]

    def _picture(self, upload: Upload) -> Picture:
        from fer_tune.data.pixels import decode
        from fer_tune.serving.pictures import Picture

        return Picture(
            name=upload.name,
            read=lambda: decode(io.BytesIO(upload.content), max_pixels=self._pixels),
        )


def apart(
    recognise: Callable[[Sequence[Sequence[Upload]]], list[list[dict[str, Any]]]],
    requests: Sequence[Sequence[Upload]],
) -> list[list[dict[str, Any]] | Exception]:
    """What ``recognise`` finds for each request, or the error that this request alone raises."""
    try:
        return [*recognise(requests)]
    except Exception as error:
        if len(requests) == 1:
            return [error]
    return [found for request in requests for found in apart(recognise, [request])]


def _held(gpus: float) -> str:
    """The device of a process that holds so many GPUs, limited to its share of one.

    Raises:
        EnvironmentFault: torch can use none.
    """
    from fer_tune.training.device.compute import hold_share

    try:
        hold_share(gpus)
    except EnvironmentFault as error:
        raise EnvironmentFault(
            error.what,
            where=f"--gpus on {socket.gethostname()}",
            value=gpus,
            remedy="`fer-tune doctor` on that machine says what is missing; without --gpus the "
            "replicas use the CPU",
        ) from None
    return "cuda"


@contextmanager
def _as_folder(files: ModelFiles) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="fer_tune-model-") as name:
        folder = Path(name)
        (folder / CARD).write_bytes(files.card)
        (folder / WEIGHTS).write_bytes(files.weights)
        yield folder
