"""Searches that a budget of time, hours or money ends: what is said, recorded, and refused."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ray.tune.search import Searcher
from rich.console import Console

from fer_tune.errors import SpaceError
from fer_tune.records import Results
from fer_tune.schema.manifest import UsedUp
from fer_tune.space import SearchSpace
from fer_tune.tuning import phases
from fer_tune.tuning.execution import _record_extension
from fer_tune.tuning.log.events import BUDGET_VERSION, EventLog, History
from fer_tune.tuning.log.resume_checks import extended
from fer_tune.tuning.phases import check_extension, explore
from fer_tune.tuning.studies.searcher import StudySearcher
from fer_tune.tuning.studies.used_up import used_up_words
from tests.tuning.conftest import make_space

TRIAL_S = 90.0


class Clock(EventLog):
    """A log whose clock is set by hand."""

    now = 0.0

    def spent(self) -> float:
        return self.now


class Driven:
    """A search whose trials run one at a time, each to its end."""

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, version: int = 2, **budget: Any
    ) -> None:
        self.space = make_space(
            budget={"trials": 40, "max_epochs": 9, **budget}, confirm={"seeds": 3}
        )
        manifest = {
            "space": self.space.as_dict(),
            "choice_frozen_at": None,
            "superseded": [],
            "choices": [],
        }
        self.results = Results(folder)
        self.results.write_manifest(manifest)
        EventLog.begin(folder, {"space": self.space.as_dict(), "budget_version": version})
        self.log = Clock(folder)
        self.history = History(identity={"space": self.space.as_dict(), "budget_version": version})
        self.said = StringIO()
        monkeypatch.setattr(phases, "run_phase", self.play)

    def search(self, space: SearchSpace | None = None) -> Any:
        nothing: Callable[..., Any] = lambda *_, **__: []  # noqa: E731
        return SimpleNamespace(
            space=space or self.space,
            history=self.history,
            log=self.log,
            results=self.results,
            local_folder=self.results.root,
            slots=1,
            asked=1,
            console=Console(file=self.said, width=1000),
            settings=None,
            interruption=None,
            can_grow=False,
            recorder=nothing,
            metrics=nothing,
            progress=nothing,
        )

    def play(self, *_: Any, searcher: StudySearcher, **__: Any) -> None:
        for number in range(1000):
            given = searcher.suggest(str(number))
            if given == Searcher.FINISHED:
                return
            assignment = searcher.assignments[str(number)]
            result = {
                "epoch": 9,
                "ran": True,
                "epoch_seconds": TRIAL_S / 9,
                "seconds": TRIAL_S,
                "score": 0.5,
                "val_macro_f1": 0.5,
                "stop_reason": "completed",
            }
            self.log.now += TRIAL_S
            self.history.run(assignment).add_result(result, done=True)
            searcher.on_trial_complete(str(number), result)

    def extend(self, *changes: str) -> SearchSpace:
        larger = extended(self.space, self.history, changes)
        check_extension(self.search(larger))
        return larger


@pytest.mark.parametrize(
    ("budget", "key", "needed", "enough"),
    [
        # Six runs for confirmation beside two trials more than there were.
        ({"wall_time": 1800.0}, "wall_time", 22 * TRIAL_S, "34m"),
        ({"accelerator_hours": 0.5}, "accelerator_hours", 22 * TRIAL_S / 3600, "0.56"),
        ({"money": 2.0, "price_per_hour": 4.0}, "money", 22 * TRIAL_S / 900, "2.21"),
    ],
)
def test_a_budget_that_ends_a_search_is_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    budget: dict[str, float],
    key: str,
    needed: float,
    enough: str,
) -> None:
    driven = Driven(tmp_path, monkeypatch, **budget)
    explore(driven.search())
    found = driven.results.manifest()["used_up"]
    assert UsedUp.model_validate(found)
    assert len(driven.history.trials) == 14 and found["not_started"] == 26
    limit = {"limit": budget[key], "needed": pytest.approx(needed)}
    assert found == {"not_started": 26, "planned": 40, "round": 2, "limits": {key: limit}}
    (line,) = driven.said.getvalue().splitlines()
    assert line.startswith("Budget used up: 26 of 40 planned trials were not started.")
    assert line.endswith(f"--extend {key}={enough}") and str(tmp_path) in line
    # More trials alone change nothing; the value that was named does.
    with pytest.raises(SpaceError) as error:
        driven.extend("trials=80")
    assert f"--extend {key}={enough}" in str(error.value) and f"{key}: too small" in str(
        error.value
    )
    with pytest.raises(SpaceError, match="too small for any further trial"):
        driven.extend(f"{key}={budget[key] * 1.01}")
    larger = driven.extend(f"{key}={enough}")
    driven.history.extend(larger.as_dict()["budget"])
    _record_extension(driven.search(larger))
    assert driven.results.manifest()["used_up"] is None
    explore(driven.search(larger))
    assert len(driven.history.trials) == 16


def test_a_search_that_runs_all_of_its_trials_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driven = Driven(tmp_path, monkeypatch, wall_time=9000.0)
    explore(driven.search())
    assert len(driven.history.trials) == 40
    assert "used_up" not in driven.results.manifest() and not driven.said.getvalue()
    driven.extend("trials=42")


def test_an_older_search_is_ended_by_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert BUDGET_VERSION == 2
    driven = Driven(tmp_path, monkeypatch, version=1, wall_time=TRIAL_S * 3)
    explore(driven.search())
    found = driven.results.manifest()["used_up"]
    assert found["limits"] == {"wall_time": {"limit": 3 * TRIAL_S, "needed": 3 * TRIAL_S}}
    assert "--extend wall_time=6m" in driven.said.getvalue()


def test_confirmation_before_an_extension_has_held_accelerators(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driven = Driven(tmp_path, monkeypatch, accelerator_hours=0.5)
    explore(driven.search())
    trial = driven.history.trials[0]
    for number in range(100, 106):
        one = driven.history.run(
            type(trial.assignment)(
                **{**vars(trial.assignment), "number": number, "cohort": "confirm"}
            )
        )
        one.add_result(dict(trial.last or {}), done=True)
    with pytest.raises(SpaceError, match=r"needs 0\.70"):
        driven.extend("accelerator_hours=0.56")
    driven.extend("accelerator_hours=0.71")


def test_every_budget_that_is_too_small_is_named() -> None:
    limits = {
        "wall_time": {"limit": 3600.0, "needed": 5400.0},
        "accelerator_hours": {"limit": 2.0, "needed": 2.5},
    }
    words = used_up_words(
        {"not_started": 4, "planned": 8, "round": 2, "limits": limits}, "my results"
    )
    assert "wall_time 1h30m of 1h and accelerator_hours 2.50 of 2.00" in words
    assert words.endswith(
        "fer-tune resume 'my results' --extend wall_time=1h31m --extend accelerator_hours=2.51"
    )
