"""From what the user names to a kept model: a model folder, a results folder, or a URL."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from fer_tune.errors import ModelError, ResultsError
from fer_tune.escaping import shell_word
from fer_tune.models.card import Card
from fer_tune.models.card_file import is_model, read_card
from fer_tune.records import Results
from fer_tune.schema.manifest import is_arm_name
from fer_tune.storage import AnyPath, any_path

if TYPE_CHECKING:
    from fer_tune.models.kept import KeptModel


def find_model(where: AnyPath | str) -> KeptModel:
    """The model at ``where``; of a results folder, that of the arm better on validation.

    Raises:
        ModelError: no model there, or one that cannot be used.
    """
    from fer_tune.models.kept import open_model  # torch takes seconds to import

    return open_model(model_folder(any_path(where)))


def model_folder(where: AnyPath) -> AnyPath:
    """The folder of the model that ``where`` means.

    Raises:
        ModelError: no model there.
    """
    if is_model(where):
        return where
    if not (where / "manifest.json").is_file():
        raise _nothing_at(where)
    return preferred(where, arm_models(where))


def arm_models(results: AnyPath) -> dict[AnyPath, Card]:
    """The models of a results folder, at least one.

    Raises:
        ModelError: it has none.
        ResultsError: not a results folder.
    """
    state = Results.open(results).manifest().get("state")
    found = kept_models(results)
    if not found:
        remedy = f"Train them again: fer-tune confirm {shell_word(results)} --keep-models"
        if state != "finished":
            remedy = f"Finish the search first: fer-tune resume {shell_word(results)}"
        raise ModelError("this results folder has no models", where=str(results), remedy=remedy)
    return found


def preferred(results: AnyPath, found: Mapping[AnyPath, Card]) -> AnyPath:
    """Of the models of a results folder the one with the best validation score."""
    metric = metric_of(results)
    return max(found, key=lambda folder: _score(found[folder], metric))


def kept_models(results: AnyPath) -> dict[AnyPath, Card]:
    """The model folders of a results folder with their cards, by name of the arm."""
    folder = results / "models"
    if isinstance(folder, Path) and not folder.is_dir():
        return {}
    named = sorted((f for f in folder.iterdir() if is_arm_name(f.name)), key=lambda f: f.name)
    return {one: read_card(one) for one in named if is_model(one)}


def metric_of(results: AnyPath) -> str:
    """The validation metric of a search: ``macro_f1``, ``accuracy`` or ``loss``."""
    space = Results.open(results).manifest().get("space") or {}
    metric = space.get("metric", "macro_f1")
    if metric not in ("macro_f1", "accuracy", "loss"):
        raise ResultsError(
            "metric of the search space is unknown", where=str(results), value=metric
        )
    return str(metric)


def _score(card: Card, metric: str) -> float:
    value = float(getattr(card.scores, f"validation_{metric}"))
    return -value if metric == "loss" else value


def _nothing_at(where: AnyPath) -> ModelError:
    if isinstance(where, Path) and not where.exists():
        what = "no such folder"
    elif isinstance(where, Path) and where.is_file():
        what = "is a file, not the folder of a model"
    else:
        what = "neither a model folder nor a results folder"
    return ModelError(
        what,
        where=str(where),
        remedy="Use the folder that `fer-tune search` printed, or RESULTS/models/ARM in it",
    )
