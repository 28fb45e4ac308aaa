"""Budgets include confirmation: what is reserved, and when no more trials are asked for."""

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
from fer_tune.space import SearchSpace, TrialConfig, plan
from fer_tune.tuning.log.assignment import Assignment
from fer_tune.tuning.log.events import BUDGET_VERSION, EVENTS_FILE, EventLog, History
from fer_tune.tuning.log.resume_checks import _check_training, extended
from fer_tune.tuning.monitor.progress import Progress
from fer_tune.tuning.studies.allowance import Allowance
from fer_tune.tuning.studies.searcher import StudySearcher
from tests.tuning.conftest import make_space


def space_of(**budget: Any) -> SearchSpace:
    return make_space(
        budget={"trials": 40, "max_epochs": 9, **budget}, confirm={"seeds": 3}, augment={"views": 2}
    )


class Clock(EventLog):
    """A log whose clock is set by hand."""

    def __init__(self, folder: Path) -> None:
        EventLog.begin(folder, {"space": {"budget": {}}})
        super().__init__(folder)
        self.now = 0.0

    def spent(self) -> float:
        return self.now


def run(number: int, arm: str = "densenet161") -> Assignment:
    return Assignment(
        number=number,
        arm=arm,
        replicate=0,
        cohort="tpe",
        seed=0,
        weights_seed=0,
        view_seed=0,
        config=TrialConfig(backbone="resnet18"),
    )


def report(seconds: float, epoch: int = 1, **more: Any) -> dict[str, Any]:
    whole = {"epoch": epoch, "ran": True, "epoch_seconds": seconds, "seconds": seconds * epoch}
    return {**whole, "setup_seconds": 0.0, **more}


def test_before_an_epoch_a_share_of_the_budget_is_reserved(tmp_path: Path) -> None:
    space = space_of(wall_time=1000, accelerator_hours=8.0)
    found = Allowance(space, Clock(tmp_path), slots=2).reserved()
    planned = plan(space)
    share = planned.confirm_epochs / (planned.confirm_epochs + planned.expected_epochs)
    assert found.seconds == pytest.approx(1000 * share) and not found.is_measured
    assert found.accelerator_hours == pytest.approx(8 * share)
    at_worst = planned.confirm_epochs / (planned.confirm_epochs + planned.worst_epochs)
    assert share > at_worst, "with ASHA, epochs are fewer than may be"
    (row,) = [text for label, text in planned.rows() if label == "budget" and "wall" in text]
    assert f"{share:.0%} is reserved for confirmation" in row


def test_recorded_epochs_say_what_confirmation_takes(tmp_path: Path) -> None:
    allowance = Allowance(space_of(wall_time=1000), Clock(tmp_path), slots=2)
    allowance.enter(run(0), report(4.0, setup_seconds=1.0))
    allowance.enter(run(1, "resnet152"), report(10.0, setup_seconds=1.0))
    found = allowance.reserved()
    # Three runs of 9 epochs and a start for each arm.
    total = 3 * (1 + 9 * 4) + 3 * (1 + 9 * 10)
    assert found.accelerator_hours == pytest.approx(total / 3600) and found.is_measured
    assert found.seconds == pytest.approx(total / 2 + 0.5 * (1 + 9 * 10))
    assert total / 2 < found.seconds < total


def test_an_arm_without_epochs_goes_by_the_slowest(tmp_path: Path) -> None:
    allowance = Allowance(space_of(wall_time=1000), Clock(tmp_path), slots=1)
    allowance.enter(run(0), report(4.0))
    assert allowance.reserved().seconds == pytest.approx(6 * 9 * 4)


def test_confirmation_computes_features_that_trials_read(tmp_path: Path) -> None:
    allowance = Allowance(space_of(wall_time=9000), Clock(tmp_path), slots=1)
    for number in range(20):
        allowance.enter(run(number), report(2.0, bank_misses=0))
    allowance.enter(run(20), report(50.0, bank_misses=300))
    assert allowance.reserved().seconds == pytest.approx(6 * (2 * 50 + 7 * 2)), (
        "2 views of 9 epochs"
    )


def test_trials_are_asked_for_while_a_round_fits_beside_confirmation(tmp_path: Path) -> None:
    clock = Clock(tmp_path)
    allowance = Allowance(space_of(wall_time=1000), clock, slots=1)
    for number in range(2):
        allowance.begin(run(number))
        for epoch in range(1, 10):
            allowance.enter(run(number), report(5.0, epoch))
        allowance.end(run(number))
    reserved = 6 * 9 * 5
    clock.now = 1000 - reserved - 2 * 45
    assert not allowance.short(2) and allowance.short(3) == {"wall_time": 1045}
    allowance.begin(run(2))
    assert allowance.short(2) == {"wall_time": 1045}
    allowance.end(run(2))
    clock.now += 1
    assert allowance.short(2) == {"wall_time": 1001} and not allowance.short(1)
    clock.now = 1000 - reserved
    assert not allowance.short(0) and allowance.short(1)


@pytest.mark.parametrize(
    ("budget", "hours"),
    [
        ({"accelerator_hours": 0.2}, 0.2),
        ({"money": 1.0, "price_per_hour": 5.0}, 0.2),
        ({"accelerator_hours": 9.0, "money": 1.0, "price_per_hour": 5.0}, 0.2),
    ],
)
def test_hours_and_money_count_what_runs_hold(
    tmp_path: Path, budget: dict[str, float], hours: float
) -> None:
    allowance = Allowance(space_of(**budget), Clock(tmp_path), slots=8)
    for number in range(4):
        allowance.enter(run(number), report(10.0, 9))
        allowance.end(run(number))
    left = hours * 3600 - 4 * 90 - 6 * 90
    needed = (4 + 6 + 1) * 90 / 3600
    of = {"accelerator_hours": needed, "money": 5 * needed}
    small = {key for key, limit in budget.items() if key in of and limit < of[key]}
    assert left == 720 - 900 and allowance.short(1) == pytest.approx({k: of[k] for k in small})
    assert "accelerator-hours of 0.20" in allowance.words()


def test_the_first_to_end_do_not_say_what_a_trial_takes(tmp_path: Path) -> None:
    """They are the short ones."""
    allowance = Allowance(space_of(accelerator_hours=1.0), Clock(tmp_path), slots=4)
    spent, times = 0.0, []
    for number in range(8):
        allowance.begin(run(number))
        allowance.enter(run(number), report(10.0, 2))
        allowance.end(run(number))
        spent += 20
        (needed,) = allowance.short(400).values()
        times.append((needed * 3600 - spent - 6 * 90) / 400)
    assert times == pytest.approx([90] * 7 + [20])


def test_trials_that_run_are_counted_with_what_they_have_held(tmp_path: Path) -> None:
    """Among them audited ones, which last longer, and baselines that no study knows."""
    allowance = Allowance(space_of(accelerator_hours=1.0), Clock(tmp_path), slots=1)
    for number in range(2):
        allowance.begin(run(number))
        allowance.enter(run(number), report(10.0, 2))
        allowance.end(run(number))
    allowance.begin(run(2))
    allowance.begin(run(3))
    allowance.enter(run(3), report(10.0, 8))
    allowance.enter(run(3), report(10.0, 7))  # replayed
    (needed,) = allowance.short(400).values()
    assert needed * 3600 == pytest.approx(2 * 20 + 20 + 80 + 400 * 20 + 6 * 90)


def test_a_share_of_a_gpu_costs_its_share(tmp_path: Path) -> None:
    space = make_space(resources={"gpu": "1/2"}, budget={**BUDGET, "accelerator_hours": 1.0})
    allowance = Allowance(space, Clock(tmp_path), slots=2)
    allowance.enter(run(0), report(60.0))
    assert allowance.reserved().accelerator_hours == pytest.approx(0.5 * 4 * 9 / 60)


BUDGET = {"trials": 12, "max_epochs": 9}


def test_money_needs_a_price() -> None:
    with pytest.raises(SpaceError, match=r"budget\.price_per_hour"):
        space_of(money=5.0)


# -- in a search ----------------------------------------------------------------------------------


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
