"""A search keeps the training that it began with, however it is continued."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from fer_tune.data import PackedDataset
from fer_tune.errors import ResultsError
from fer_tune.records import Results
from fer_tune.space import TrialConfig
from fer_tune.training.context import TRAINING_VERSION
from fer_tune.training.optimisation.objective import make_objective
from fer_tune.training.trial import RunSeeds, TrialRun
from fer_tune.tuning import execution, run
from fer_tune.tuning.log.events import EVENTS_FILE
from fer_tune.tuning.options import SearchOptions
from fer_tune.tuning.raytune.runtime import RayConnection
from fer_tune.tuning.session import Search
from tests.tuning.conftest import make_space

EARLIER = Path(__file__).resolve().parents[2] / "earlier"
OPTIONS = SearchOptions(cpus=1, dashboard=False)
CONFIG = TrialConfig(
    backbone="resnet18",
    unfreeze_depth=0,
    crop_size=32,
    batch_size=16,
    class_weights="balanced",
    label_smoothing=0.2,
    label_noise=0.4,  # the faces are balanced
)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Search]:
    """Searches as they were made, in place of running them."""

    @contextmanager
    def no_ray(*_: Any, **__: Any) -> Iterator[Any]:
        yield RayConnection(dashboard=None, have={"CPU": 1.0})

    found: list[Search] = []
    monkeypatch.setattr(run, "ray_connection", no_ray)
    monkeypatch.setattr(run, "pending_limit", lambda *_: 1)
    monkeypatch.setattr(execution, "finish", found.append)
    monkeypatch.setattr(execution, "retrain", lambda search, _: found.append(search))
    monkeypatch.setattr(execution, "confirm", lambda search, _: found.append(search))
    return found


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EARLIER / "faces", tmp_path / "faces"))


def console() -> Console:
    return Console(file=StringIO(), width=200)


def text(search: Search) -> str:
    """What the search has printed, in one line."""
    out: Any = search.console.file
    return " ".join(out.getvalue().split())


def resume(folder: Path, faces: Path) -> None:
    run.resume_search(folder, OPTIONS, console(), data=faces)


def confirm(folder: Path, faces: Path) -> None:
    run.confirm_more(folder, 3, OPTIONS, console(), faces)


def keep_models(folder: Path, faces: Path) -> None:
    run.confirm_more(folder, None, OPTIONS, console(), faces, keep_models=True)


WAYS = [("interrupted", resume), ("finished", confirm), ("finished", keep_models)]


def trained_as(search: Search) -> set[int]:
    """The versions of which a run of the search has the gradients."""
    trial = TrialRun(search.settings.context, CONFIG, RunSeeds(run=1, weights=0, views=0))
    trial.prepare()
    logits = torch.linspace(-2, 2, 3 * trial.classes).reshape(3, trial.classes).requires_grad_()
    labels = torch.arange(3) % trial.classes

    def gradient(objective: Any) -> torch.Tensor:
        return torch.autograd.grad(objective.total(logits, labels), logits)[0]

    objectives = {
        version: make_objective(
            CONFIG,
            trial.train_labels,
            trial.classes,
            version=version,
            device=torch.device("cpu"),
        )
        for version in (1, 2)
    }
    mine = gradient(trial._objective)
    return {v for v, objective in objectives.items() if torch.equal(gradient(objective), mine)}


@pytest.mark.parametrize(("name", "way"), WAYS)
def test_an_older_search_keeps_the_older_training(
    made: list[Search], faces: Path, tmp_path: Path, name: str, way: Callable[[Path, Path], None]
) -> None:
    folder = Path(shutil.copytree(EARLIER / name, tmp_path / name))
    way(folder, faces)
    (search,) = made
    assert "began with an earlier version of the training" in text(search)
    assert search.settings.context.training_version == 1
    assert trained_as(search) == {1}
    assert not search.settings.context.learning_curve(classes=6, stop_early=True)._spares_improving


def test_a_new_search_and_its_resume_have_the_new_one(
    made: list[Search], faces: Path, tmp_path: Path
) -> None:
    folder, space = tmp_path / "new", make_space()
    run.run_search(space, PackedDataset.open(faces), folder, OPTIONS, console())
    manifest = Results(folder).manifest()
    assert manifest["training_version"] == TRAINING_VERSION == 2
    # What counts is the log: a manifest is easily edited.
    Results(folder).update_manifest(training_version=1, state="interrupted")
    resume(folder, faces)
    assert [search.settings.context.training_version for search in made] == [2, 2]
    assert [trained_as(search) for search in made] == [{2}, {2}]
    assert not any("earlier version" in text(search) for search in made)


def with_version(folder: Path, version: Any) -> None:
    """Writes the version into the log's first line."""
    first, *rest = (folder / EVENTS_FILE).read_text().splitlines(keepends=True)
    changed = json.dumps({**json.loads(first), "training_version": version})
    (folder / EVENTS_FILE).write_text(changed + "\n" + "".join(rest))


@pytest.mark.parametrize(("name", "way"), WAYS)
@pytest.mark.parametrize(
    ("version", "rule"),
    [
        (TRAINING_VERSION + 1, "only versions up to 2|knows versions up to 2"),
        (0, "training_version must be at least 1"),
        ("2", "training_version must be a whole number"),
    ],
)
def test_a_later_or_invalid_version_is_refused(
    made: list[Search],
    faces: Path,
    tmp_path: Path,
    name: str,
    way: Callable[[Path, Path], None],
    version: Any,
    rule: str,
) -> None:
    folder = Path(shutil.copytree(EARLIER / name, tmp_path / name))
    with_version(folder, version)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(ResultsError, match=rule) as caught:
        way(folder, faces)
    assert EVENTS_FILE in str(caught.value)
    assert made == [] and all(path.read_bytes() == text for path, text in before.items())
