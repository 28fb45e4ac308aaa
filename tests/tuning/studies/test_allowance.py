"""Budgets include confirmation: what is reserved, and what further trials take."""

from __future__ import annotations

from pathlib import Path

import pytest

from fer_tune.errors import SpaceError
from fer_tune.space import TrialConfig, plan
from fer_tune.tuning.log.assignment import Assignment
from fer_tune.tuning.studies.allowance import Allowance
from tests.tuning.conftest import make_space
from tests.tuning.studies.budgeted import Clock, report, space_of


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
