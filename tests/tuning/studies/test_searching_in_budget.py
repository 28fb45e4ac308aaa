"""Searches keep their budgets with confirmation, also resumed, extended and of older versions."""

from __future__ import annotations

import json
from collections import Counter
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from ray.tune.search import Searcher
from rich.console import Console

from fer_tune.errors import ResultsError, SpaceError
from fer_tune.records import Results
from fer_tune.simulation.analytic import AnalyticWorld
from fer_tune.simulation.engine import simulate
from fer_tune.simulation.fleet import Fleet
from fer_tune.space import SearchSpace
from fer_tune.tuning.log.assignment import Assignment
from fer_tune.tuning.log.events import BUDGET_VERSION, EVENTS_FILE, History
from fer_tune.tuning.log.resume_checks import _check_training, extended
from fer_tune.tuning.monitor.progress import Progress
from fer_tune.tuning.studies.allowance import Allowance
from fer_tune.tuning.studies.searcher import StudySearcher
from tests.tuning.conftest import make_space
from tests.tuning.studies.budgeted import Clock, report, space_of


@pytest.mark.parametrize("gpus", [1, 3])
@pytest.mark.parametrize("kind", ["asha", "none"])
def test_a_simulated_search_keeps_its_wall_time_with_confirmation(gpus: int, kind: str) -> None:
    limit = 3 * 3600.0
    space = make_space(
        budget={"trials": 200, "max_epochs": 9, "wall_time": limit},
        scheduler={"kind": kind, "grace_epochs": 1, "reduction_factor": 3},
        confirm={"seeds": 5},
    )
    found = simulate(space, AnalyticWorld(space=space, seed=1), Fleet(gpus=gpus))
    assert 0 < len(found.trials) < 200 and len(found.confirmations) == 10
    assert 0.5 * limit < found.seconds < limit
    counts = [sum(r.assignment.arm == arm for r in found.trials) for arm in space.compare.arms]
    assert counts[0] == counts[1], "no arm has a trial more"


@pytest.mark.parametrize("seed", range(6))
def test_a_round_that_has_begun_is_completed(seed: int) -> None:
    """A slow trial makes confirmation take more than is left, in the middle of a round."""
    space = many_studies(seed, wall_time=8 * 3600.0)
    found = simulate(space, AnalyticWorld(space=space, seed=seed), Fleet(gpus=1))
    studies = Counter(run.assignment.study for run in found.trials)
    assert len(studies) == 10 and len({*studies.values()}) == 1
    assert 0.7 * 8 * 3600 < found.seconds < 1.15 * 8 * 3600


@pytest.mark.parametrize("seed", range(2))
def test_hours_hold_on_more_accelerators_than_they_suffice_for(seed: int) -> None:
    space = many_studies(seed, accelerator_hours=12.0)
    found = simulate(space, AnalyticWorld(space=space, seed=seed), Fleet(gpus=64))
    assert 0.7 * 12 < found.accelerator_s / 3600 < 1.2 * 12


def many_studies(seed: int, **budget: Any) -> SearchSpace:
    return SearchSpace.from_dict(
        {
            "name": "x",
            "purpose": "p",
            "compare": {"arms": {"first": "resnet18", "second": "resnet18"}, "replicates": 5},
            "parameters": {
                "lr_head": {"type": "float", "low": 1e-5, "high": 1e-1, "log": True},
                "dropout": {"type": "float", "low": 0.0, "high": 0.5},
            },
            "sampler": "random",
            "budget": {"trials": 400, "max_epochs": 12, **budget},
            "seeds": {"search": seed},
            "weights": "none",
            "confirm": {"seeds": 2},
            "resources": {"gpu": 1},
        }
    )


def test_a_simulated_search_keeps_its_money_with_confirmation() -> None:
    space = make_space(
        budget={"trials": 200, "max_epochs": 9, "money": 8.0, "price_per_hour": 2.0},
        confirm={"seeds": 5},
    )
    found = simulate(space, AnalyticWorld(space=space, seed=1), Fleet(gpus=4))
    assert 0.5 * 4 < found.accelerator_s / 3600 < 4


def begun(tmp_path: Path, slots: int, **budget: Any) -> StudySearcher:
    space, clock = space_of(**budget), Clock(tmp_path)
    return StudySearcher(space, clock, allowance=Allowance(space, clock, slots=slots))


def test_the_first_epoch_shows_what_further_rounds_hold(tmp_path: Path) -> None:
    searcher = begun(tmp_path, 8, accelerator_hours=1.0)
    assert searcher.suggest("a") and searcher.suggest("b")
    assert searcher.suggest("c") is None, "one round, whose length is unknown"
    searcher.on_trial_result("a", report(3.0, score=0.5, val_macro_f1=0.5))
    assert isinstance(searcher.suggest("c"), dict)


def test_time_alone_lets_all_slots_start(tmp_path: Path) -> None:
    searcher = begun(tmp_path, 8, wall_time=1000)
    assert all(isinstance(searcher.suggest(f"t{k}"), dict) for k in range(8))
    assert searcher.suggest("more") is None
    searcher.on_trial_complete("t0", error=True)
    assert searcher.suggest("more") is None, "two do not fit onto one slot"
    searcher.on_trial_complete("t1", error=True)
    assert isinstance(searcher.suggest("more"), dict)


def test_a_search_waits_for_what_its_running_trials_leave(tmp_path: Path) -> None:
    space, clock = space_of(wall_time=400), Clock(tmp_path)
    searcher = StudySearcher(space, clock, allowance=Allowance(space, clock, slots=2))
    for name in ("a", "b"):
        searcher.suggest(name)
    last = {"score": 0.5, "val_macro_f1": 0.5}
    searcher.on_trial_result("a", report(5.0, **last))
    # 135 s + 22.5 s for confirmation, and 45 s for each of two rounds of two.
    clock.now = 190.0
    assert searcher.suggest("c") is None
    for name in ("a", "b"):
        searcher.on_trial_complete(name, report(5.0, **last, stop_reason="diverged"))
    assert isinstance(searcher.suggest("c"), dict)
    assert isinstance(searcher.suggest("d"), dict)
    for name in ("c", "d"):
        searcher.on_trial_complete(name, report(5.0, **last, stop_reason="diverged"))
    clock.now = 300.0
    assert searcher.suggest("e") == Searcher.FINISHED and searcher.short() == {"wall_time": 462.5}


def test_what_is_reserved_is_logged_where_it_is_news(tmp_path: Path) -> None:
    space, clock = space_of(wall_time=10_000), Clock(tmp_path)
    searcher = StudySearcher(space, clock, allowance=Allowance(space, clock, slots=1))
    for number in range(6):
        given = searcher.suggest(f"t{number}")
        assert isinstance(given, dict)
        result = report(3.0, 9, score=0.5, val_macro_f1=0.5, stop_reason="completed")
        searcher.on_trial_complete(f"t{number}", result)
    lines = (tmp_path / EVENTS_FILE).read_text().splitlines()[1:]
    found = [e for line in lines if (e := json.loads(line))["kind"] == "reserved"]
    assert [event["is_measured"] for event in found] == [False, True]
    assert found[1]["seconds"] == pytest.approx(6 * 9 * 3)
    assert "2.7 min of 167" in searcher.notes()[0]
    assert len(History.read(tmp_path).runs) == 6


def test_a_resume_knows_what_earlier_sessions_spent(tmp_path: Path) -> None:
    space, clock = space_of(accelerator_hours=0.5), Clock(tmp_path)
    searcher = StudySearcher(space, clock, allowance=Allowance(space, clock, slots=1))
    history = History(identity={})
    for number in range(40):
        given = searcher.suggest(f"t{number}")
        if given == Searcher.FINISHED:
            break
        assert isinstance(given, dict)
        result = report(5.0, 9, score=0.5, val_macro_f1=0.5, stop_reason="completed")
        history.run(Assignment.from_dict(given["run"])).add_result(result, done=True)
        searcher.on_trial_complete(f"t{number}", result)
    assert len(history.runs) == 34, "of 40 runs of 45 s, 6 are confirmation's"
    again = Allowance(space, clock, slots=1)
    resumed = StudySearcher(space, clock, allowance=again, history=history)
    assert resumed.remaining == 0 and again.words() == searcher.notes()[0]


# -- older searches, later ones, extensions -------------------------------------------------------


def test_a_search_keeps_the_rule_that_it_began_with(tmp_path: Path) -> None:
    assert History(identity={}).budget_version == 1
    assert History(identity={"budget_version": BUDGET_VERSION}).budget_version == 2
    later = History(identity={"budget_version": BUDGET_VERSION + 1})
    with pytest.raises(ResultsError, match="the budgets of this search follow version 3"):
        _check_training(later, tmp_path)
    _check_training(History(identity={}), tmp_path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("accelerator_hours=1", "must be more than before"),
        ("money=1", "must be more than before"),
        ("price_per_hour=1", "only trials, wall_time, accelerator_hours, money can be extended"),
    ],
)
def test_every_budget_may_grow_and_none_may_shrink(change: str, says: str) -> None:
    space = space_of(accelerator_hours=2.0, money=4.0, price_per_hour=1.0)
    history = History(identity={"space": space.as_dict()})
    with pytest.raises(SpaceError, match=says):
        extended(space, history, [change])
    larger = extended(space, history, ["accelerator_hours=3.5"])
    assert (larger.budget.accelerator_hours, larger.budget.trials) == (3.5, 40)


def test_the_table_shows_what_is_reserved(tmp_path: Path) -> None:
    space, clock = space_of(wall_time=600), Clock(tmp_path)
    searcher = StudySearcher(space, clock, allowance=Allowance(space, clock, slots=1))
    console = Console(file=StringIO(), width=200)
    progress = Progress(console, Results(tmp_path), total=2, title="search", notes=searcher.notes)
    lines = [str(part) for part in progress._render().renderables]
    assert (
        lines[-1].startswith("reserved for confirmation: ") and "of 10 (by the plan)" in lines[-1]
    )
