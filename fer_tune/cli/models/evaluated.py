"""The evaluation of a model, an ONNX file or a predictions file, as a document for JSON."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn

from analysis.outputs.evaluation import evaluation
from fer_tune.errors import UserError
from fer_tune.storage import any_path, is_url, without_secrets

if TYPE_CHECKING:
    from fer_tune.data.dataset import DatasetIndex
    from fer_tune.models.card import Card
    from fer_tune.serving.evaluation import Labelled, Scorer, SplitName
    from fer_tune.serving.test_time import TestTime

SCHEMA_VERSION = 1
#: Beginnings of what is no kept model.
ONNX, PREDICTIONS = "onnx:", "predictions:"


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to evaluate, on what, and how; the arguments of the command.

    Attributes:
        what: a kept model, ``onnx:FILE`` or ``predictions:FILE.csv``.
        data: a packed dataset, or its URL.
        tta: None: the option was not given.
    """

    what: str
    data: str
    split: SplitName = "test"
    tta: TestTime | None = None
    batch_size: int | None = None
    device: str | None = None


def evaluate(request: Request, console: Console) -> dict[str, Any]:
    """The document that `evaluate --json` prints.

    Raises:
        UserError: the model, the file, the dataset or their combination cannot be used.
    """
    if request.what in (ONNX, PREDICTIONS):
        raise UserError(
            "no file is named",
            where="MODEL",
            value=request.what,
            remedy=f"Add its path or URL: {request.what}FILE",
        )
    if request.what.startswith(PREDICTIONS):
        return _of_predictions(request)
    return _of_model(request, console)


def _of_predictions(request: Request) -> dict[str, Any]:
    from fer_tune.data.at_url import index_at
    from fer_tune.serving.evaluation import labelled
    from fer_tune.serving.prediction_file import read_predictions

    for option in ("tta", "batch_size", "device"):
        if getattr(request, option) is not None:
            raise UserError(
                "needs a model; a predictions file has its probabilities already",
                where=f"--{option.replace('_', '-')}",
                value=getattr(request, option),
                remedy="Remove it",
            )
    dataset = index_at(any_path(request.data))
    pictures = labelled(dataset, request.split)
    path = any_path(request.what.removeprefix(PREDICTIONS))
    found = read_predictions(path, dataset, pictures.positions, request.split)
    reader = hashlib.sha256(found.probabilities.tobytes()).hexdigest()
    readings = _recorded_reading(request, dataset, reader)
    return {
        **_heading(request, "predictions", dataset),
        "milliseconds_per_picture": found.milliseconds,
        "notes": list(found.notes),
        "warnings": readings.pop("problems"),
        "test_readings": readings or None,
        **_scores(found.probabilities, pictures, dataset),
    }


def _of_model(request: Request, console: Console) -> dict[str, Any]:
    from fer_tune.serving.evaluation import class_places, labelled, probabilities_on
    from fer_tune.serving.test_time import check_room
    from fer_tune.tuning.files.dataset_cache import open_dataset

    model = _model(request)
    tta: TestTime = request.tta or "none"
    check_room(tta, model.card.preprocessing)
    dataset = open_dataset(any_path(request.data), console)
    places = class_places(model.classes, dataset, request.what)
    pictures = labelled(dataset, request.split, model.card)
    readings = _recorded_reading(request, dataset, model.card.sha256)
    began = time.perf_counter()
    with _progress(len(pictures.positions), console) as advance:
        probabilities = probabilities_on(
            model, dataset, pictures.positions, places=places, tta=tta, advance=advance
        )
    seconds = time.perf_counter() - began
    return {
        **_heading(request, "onnx" if request.what.startswith(ONNX) else "model", dataset),
        "model": _about(model),
        "milliseconds_per_picture": 1000 * seconds / len(pictures.positions),
        "recorded": _recorded(model.card, dataset, request.split, tta),
        "notes": [],
        "warnings": [
            *_warnings(model.card, dataset, request.split),
            *readings.pop("problems"),
        ],
        "test_readings": readings or None,
        **_scores(probabilities, pictures, dataset),
    }


def _recorded_reading(request: Request, dataset: DatasetIndex, reader: str) -> dict[str, Any]:
    """Counts this reading of the test split; its numbers of readers, and ``problems``."""
    from fer_tune.data.readings import record_reading

    if request.split != "test":
        return {"problems": []}
    found = record_reading(
        dataset,
        "evaluation",
        reader[:32],
        without_secrets(request.what),
        is_copy=is_url(request.data),
    )
    return {
        "fingerprint": found.test,
        "searches": len(found.of("search")),
        "evaluations": len(found.of("evaluation")),
        "problems": list(found.problems),
    }


def _model(request: Request) -> Scorer:
    size = request.batch_size or 64
    if request.what.startswith(ONNX):
        from fer_tune.serving.onnx_model import OnnxModel

        where = any_path(request.what.removeprefix(ONNX))
        return OnnxModel(where, device=request.device, batch_size=size)
    from fer_tune.serving.finding import find_model
    from fer_tune.serving.predictor import Predictor

    return Predictor(find_model(request.what), device=request.device, batch_size=size)


def _heading(request: Request, kind: str, dataset: Any) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "evaluated": request.what,
        "kind": kind,
        "data": str(any_path(request.data)),
        "fingerprint": dataset.fingerprint,
        "split": request.split,
        "tta": None if kind == "predictions" else request.tta or "none",
    }


def _scores(probabilities: NDArray[np.float64], pictures: Labelled, dataset: Any) -> dict[str, Any]:
    found = evaluation(probabilities, pictures.labels, pictures.clean, dataset.classes)
    return {"classes": list(dataset.classes), **found}


def _about(model: Scorer) -> dict[str, Any]:
    card = model.card
    return {
        "arm": card.arm,
        "backbone": card.backbone,
        "seed": card.seed,
        "sha256": card.sha256,
        "temperature": card.temperature,
        "device": model.device,
    }


def _recorded(card: Card, dataset: Any, split: str, tta: str) -> dict[str, float] | None:
    """The scores on the card, if they are of these pictures; else None."""
    from fer_tune.serving.evaluation import is_same_dataset

    if not is_same_dataset(card, dataset) or tta != "none" or split == "train":
        return None
    scores = card.scores.model_dump()
    keys = ("macro_f1", "accuracy", "clean_macro_f1", "clean_accuracy")
    return {key: scores[f"{split}_{key}"] for key in keys if f"{split}_{key}" in scores}


def _warnings(card: Card, dataset: Any, split: str) -> Iterator[str]:
    from fer_tune.serving.evaluation import is_same_dataset

    if not is_same_dataset(card, dataset):
        yield (
            "this is not the dataset of the model's search: pictures that the model was trained "
            "on may be among these, which would inflate the scores"
        )
    elif split == "train":
        yield "the model was trained on these pictures: the scores say nothing about other pictures"
    elif split == "validation":
        yield (
            "configuration, epoch and temperature were chosen on these pictures: the scores are "
            "too high"
        )


@contextmanager
def _progress(total: int, console: Console) -> Iterator[Any]:
    """A progress bar on a terminal; gives a function that is called with pictures done."""
    columns = (TextColumn("evaluating"), MofNCompleteColumn(), TextColumn("pictures"))
    shown = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    with shown as bar:
        task = bar.add_task("evaluating", total=total)
        yield lambda done: bar.advance(task, done)
