"""Models that may be kept: each confirmation run leaves its own, all but the best are removed.

::

    RESULTS/checkpoints/models/000012/model.safetensors  of run 12
    RESULTS/checkpoints/models/000012/candidate.json     what its worker knows of it; written last

A worker does not know how other runs end, so it always writes. At the end of each run the driver
removes all but the best ended one of every arm: at any time there is at most that and one per
running confirmation. They are with the checkpoints, as a resume elsewhere needs both.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fer_tune.errors import ResultsError, reading
from fer_tune.models.card_file import WEIGHTS
from fer_tune.schema import InvalidJson, parse_json, read_at_most
from fer_tune.schema.limits import CARD_BYTES
from fer_tune.storage import (
    AnyPath,
    UrlPath,
    is_number,
    put_folder,
    remove_file,
    remove_tree,
    write_atomically,
)
from fer_tune.storage.links import make_folder_below
from fer_tune.storage.paths import scratch_folder
from fer_tune.storage.scratch import scratch

if TYPE_CHECKING:
    from fer_tune.training.trial import TrialRun
    from fer_tune.tuning.log.assignment import Assignment

_DESCRIPTION = "candidate.json"


def models_folder(root: AnyPath) -> AnyPath:
    """The folder of the models that are kept."""
    return root / "models"


def _all(root: AnyPath) -> AnyPath:
    return root / "checkpoints" / "models"


def candidate_folder(root: AnyPath, number: int) -> AnyPath:
    """The folder of run ``number``."""
    return _all(root) / f"{number:06d}"


def candidates(root: AnyPath) -> set[int]:
    """Numbers of the runs whose models are complete."""
    folder = _all(root)
    if isinstance(folder, Path) and not folder.is_dir():
        return set()
    named = [one for one in folder.iterdir() if is_number(one.name)]
    return {int(one.name) for one in named if (one / _DESCRIPTION).is_file()}


def read_candidate(root: AnyPath, number: int) -> dict[str, Any]:
    """What the worker knew of the model of run ``number``, by the names of the card.

    Raises:
        ResultsError: damaged.
    """
    where = candidate_folder(root, number) / _DESCRIPTION
    with reading(where):
        try:
            found = parse_json(read_at_most(where, CARD_BYTES))
        except InvalidJson as error:
            raise _damaged(where, str(error)) from None
    if not isinstance(found, dict):
        raise _damaged(where, "not a mapping")
    return found


def _damaged(where: AnyPath, what: str) -> ResultsError:
    return ResultsError(
        f"is {what}",
        where=str(where),
        remedy=f"Remove {where.name} and train again: fer-tune confirm RESULTS --keep-models",
    )


def drop_candidate(root: AnyPath, number: int) -> None:
    """Removes the model of run ``number``, if there is one; after a kill it is not complete."""
    folder = candidate_folder(root, number)
    remove_file(folder / _DESCRIPTION, within=root)
    remove_tree(folder, within=root)


def drop_candidates(root: AnyPath) -> None:
    """Removes what all runs left."""
    for number in candidates(root):
        drop_candidate(root, number)
    remove_tree(_all(root), within=root)


def save_candidate(
    run: TrialRun,
    assignment: Assignment,
    scores: dict[str, float],
    root: AnyPath,
    *,
    retrained: bool = False,
) -> None:
    """Saves the network of the best epoch of an ended confirmation run, on its worker.

    Args:
        scores: its ``test_*`` columns.
        retrained: its scores were recorded earlier; only the model is new.

    Raises:
        OSError: from the disk, or the store at the URL.
    """
    from fer_tune.models.kept import write_weights

    folder = candidate_folder(root, assignment.number)
    remove_file(folder / _DESCRIPTION, within=root)  # of the same run, restarted
    with _scratch_for(folder, root) as new:
        weights = new / WEIGHTS
        description = {**_described(run, assignment, scores), "retrained": retrained}
        description["sha256"] = write_weights(run.whole_state(), weights)
        if isinstance(folder, UrlPath):
            put_folder(new, folder)
        else:
            weights.replace(folder / WEIGHTS)
    write_atomically(folder / _DESCRIPTION, json.dumps(description), within=root)


@contextmanager
def _scratch_for(folder: AnyPath, root: AnyPath) -> Iterator[Path]:
    """An empty folder for files that will be in ``folder``, on the same disk if it is on one."""
    if isinstance(folder, UrlPath):
        with scratch_folder() as own:
            yield own
        return
    assert isinstance(root, Path)
    make_folder_below(root, folder)
    with scratch(folder, ".new-") as own:
        yield own


def _described(run: TrialRun, assignment: Assignment, scores: dict[str, float]) -> dict[str, Any]:
    from fer_tune.training.temperature import fit_temperature

    best, context, dataset = run.curve.best, run.context, run.dataset
    assert best is not None, "a run without a best epoch has no model"
    labels = dataset.labels[run.split.validation]
    return {
        "arm": assignment.arm,
        "backbone": run.config.backbone,
        "unfreeze_depth": run.config.unfreeze_depth,
        "precision": str(run.compute.dtype).removeprefix("torch."),
        "classes": list(dataset.classes),
        "preprocessing": {
            "max_side": dataset.max_side,
            "channels": dataset.channels,
            "resize_ratio": context.resize_ratio,
            "crop_size": run.config.crop_size,
        },
        "temperature": fit_temperature(run.validation_logits().numpy(), labels),
        "scores": {
            "validation_macro_f1": best.val_macro_f1,
            "validation_accuracy": best.val_accuracy,
            "validation_loss": best.val_loss,
            **scores,
        },
        "run": assignment.number,
        "replicate": assignment.replicate,
        "seed": assignment.seed,
        "epoch": best.epoch,
        "config": run.config.as_dict(),
    }
