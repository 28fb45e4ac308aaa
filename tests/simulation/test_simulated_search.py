"""Searches under virtual time: decisions, machines, accounts."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from made_records import make_space

from fer_tune.errors import UserError
from fer_tune.simulation.analytic import AnalyticWorld
from fer_tune.simulation.engine import simulate
from fer_tune.simulation.fleet import Fleet
from fer_tune.simulation.phase import Phase
from fer_tune.simulation.runs import SimulatedRun, SimulatedSearch
from fer_tune.simulation.world import Course, coordinates
from fer_tune.space import SearchSpace, TrialConfig
from fer_tune.training.learning_curve import LearningCurve
from fer_tune.tuning.log.assignment import Assignment
from fer_tune.tuning.studies.asha import StudyAsha

ARMS = ("densenet121", "resnet50")
ENDED = {"complete", "overfit", "pruned", "diverged", "oom", "failed"}


def search(space: SearchSpace | None = None, gpus: int = 4, **more: float) -> SimulatedSearch:
    space = space or make_space()
    world = AnalyticWorld(space=space, oom_crop=64, failed_share=0.05)
    return simulate(space, world, Fleet.of(space, gpus, **more))


def test_arms_that_are_confirmed_with_the_same_seed_have_no_noise_in_common() -> None:
    found = search(make_space(confirm={"seeds": 40}, budget={"trials": 8, "max_epochs": 9}))
    noise: dict[str, dict[int, float]] = {arm: {} for arm in ARMS}
    for run in found.confirmations:
        own = run.course.test - run.course.truth
        noise[run.assignment.arm][run.assignment.seed] = float(own[-1])
    one, other = (noise[arm] for arm in ARMS)
    assert one.keys() == other.keys() and len(one) == 40
    pairs = np.array([(one[seed], other[seed]) for seed in one])
    assert abs(np.corrcoef(pairs.T)[0, 1]) < 0.5 and pairs.std(axis=0).min() > 0


def digest(found: SimulatedSearch) -> list[object]:
    return [(run.assignment, run.epochs, run.state, run.began, run.ended) for run in found.runs]


def test_every_trial_ends_and_the_choices_are_confirmed() -> None:
    found = search()
    assert len(found.trials) == 24 and {run.state for run in found.trials} <= ENDED
    assert {"pruned", "complete"} <= {run.state for run in found.trials}
    confirmed = [(run.assignment.arm, run.assignment.cohort) for run in found.confirmations]
    assert sorted(confirmed) == [
        *[("densenet121", "confirm")] * 2,
        *[("resnet50", "confirm")] * 2,
    ]
    best = {
        arm: max(
            (run for run in found.trials if run.assignment.arm == arm and run.state == "complete"),
            key=lambda run: run.best,
        )
        for arm in ("densenet121", "resnet50")
    }
    assert all(r.assignment.config == best[r.assignment.arm].assignment.config
               for r in found.confirmations)  # fmt: skip
    assert all(run.began >= found.searched_s for run in found.confirmations)


def test_the_same_seeds_give_the_same_search() -> None:
    assert digest(search(spot_loss=5.0)) == digest(search(spot_loss=5.0))
    assert digest(search()) != digest(search(make_space(seeds={"search": 1})))


def test_a_change_of_the_scheduler_changes_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = search()
    other = make_space(scheduler={"kind": "asha", "grace_epochs": 1, "reduction_factor": 2})
    assert digest(search(other)) != digest(plain)
    none = search(make_space(scheduler={"kind": "none"}, stopper={"enabled": False}))
    full = [run for run in none.trials if run.state == "complete"]
    assert all(run.epochs == 9 for run in full) and none.epochs > plain.epochs
    monkeypatch.setattr(StudyAsha, "on_trial_result", lambda *args: "STOP")
    assert {run.epochs for run in search().trials} <= {0, 1}


def test_audited_trials_count_as_stopped_and_continue() -> None:
    space = make_space(audit={"share": 1.0}, stopper={"enabled": False})
    found = simulate(space, AnalyticWorld(space=space), Fleet(gpus=4))
    stopped = [run for run in found.trials if run.state == "pruned"]
    assert stopped and {run.epochs for run in stopped} == {9}


def test_runs_are_asked_for_ahead_of_time_as_in_real_searches() -> None:
    found = search(gpus=2)
    asked = sorted(run.asked for run in found.trials)
    assert asked[:4] == [0.0] * 4 and asked[4] > 0  # two run, and two are pending
    one = search(gpus=1)
    ends = sorted(run.ended for run in one.trials)
    assert [run.asked for run in one.trials[1:]] == ends[:-1]


@pytest.mark.parametrize("gpus", [1, 3, 30])
def test_no_more_runs_at_a_time_than_slots(gpus: int) -> None:
    found = search(gpus=gpus, autoscale_delay_s=100.0)
    times = [(run.began, 1) for run in found.runs] + [(run.ended, -1) for run in found.runs]
    running = np.cumsum([change for _, change in sorted(times)])
    assert running.max() <= gpus
    assert 0 < found.utilisation <= 1
    assert min(run.began for run in found.runs) == 100.0
    assert found.accelerator_s <= found.fleet_s


def test_runs_share_a_gpu() -> None:
    space = make_space(resources={"cpu": 1, "gpu": "1/2"})
    fleet = Fleet.of(space, 2)
    assert fleet.slots == 4
    found = simulate(space, AnalyticWorld(space=space), fleet)
    busy = sum(run.busy_s for run in found.runs)
    held = sum(run.held_s for run in found.runs)
    assert busy == pytest.approx(held), "nothing was lost"
    assert found.accelerator_s == pytest.approx(held / 2)
    assert found.utilisation == pytest.approx(busy / 4 / found.seconds)


def test_only_gpus_that_are_there_can_be_used() -> None:
    plain, late = search(), search(autoscale_delay_s=1800.0)
    assert late.seconds == pytest.approx(plain.seconds + 1800)
    assert late.utilisation == pytest.approx(plain.utilisation)


def test_the_wall_time_ends_the_asking() -> None:
    found = search(make_space(budget={"trials": 24, "max_epochs": 9, "wall_time": 600}))
    assert 0 < len(found.trials) < 24
    assert max(run.asked for run in found.trials) < 600


# -- lost machines --------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class BrittleFleet(Fleet):
    """One whose GPUs live as long as ``lives`` says, in order, and then for ever."""

    lives: Iterator[float] = field(default_factory=lambda: iter(()))

    def life_s(self, draws: np.random.Generator) -> float:
        return next(self.lives, math.inf)


class OneRun:
    """A run of four epochs of 60 s after 10 s of set-up."""

    def __init__(self) -> None:
        flat = np.full(4, 0.5)
        course = Course(
            values=flat,
            train_loss=flat,
            val_loss=flat,
            seconds=flat * 120,
            test=flat,
            truth=flat,
            setup_s=10.0,
        )
        curve = LearningCurve(
            metric="macro_f1", classes=2, max_epochs=4, patience=2, window=1, stop_early=False
        )
        assignment = Assignment(
            number=0,
            arm="a",
            replicate=0,
            cohort="random",
            seed=0,
            weights_seed=0,
            view_seed=0,
            config=TrialConfig(backbone="resnet18"),
        )
        self._left = [SimulatedRun(assignment=assignment, course=course, curve=curve, asked=0.0)]

    def ask(self, now: float) -> SimulatedRun | None:
        return self._left.pop() if self._left else None

    def report(self, run: SimulatedRun) -> bool:
        return bool(run.advance()["done"])


@pytest.mark.parametrize(
    ("lives", "interval", "seconds", "busy"),
    [
        ([], 60.0, 250.0, 250.0),
        # Lost 20 s into the third epoch; then 30 s without a GPU, set-up, the epoch again.
        ([150.0], 60.0, 310.0, 280.0),
        # No checkpoint yet: all four epochs again.
        ([150.0], 140.0, 430.0, 400.0),
        ([150.0, 40.0], 60.0, 380.0, 320.0),
    ],
)
def test_a_lost_machine_costs_what_no_checkpoint_has(
    lives: list[float], interval: float, seconds: float, busy: float
) -> None:
    fleet = BrittleFleet(lives=iter(lives), autoscale_delay_s=30.0, checkpoint_interval_s=interval)
    draws = np.random.default_rng(0)
    phase = Phase(OneRun(), fleet, asked=1, draws=draws, waits=False)
    phase.play()
    (run,) = phase.runs
    assert (phase.now, run.busy_s, run.losses) == (seconds, busy, len(lives))
    assert run.held_s == 250.0, "as its record has it, whatever was repeated"
    assert [report.epoch for report in run.curve.reports] == [1, 2, 3, 4]
    assert phase.gpu_s == phase.now - 30.0 * len(lives), "nobody pays for a GPU that is not there"


def test_a_run_that_can_never_end_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fer_tune.simulation.phase.MOST_LOSSES", 20)
    draws = np.random.default_rng(0)
    # Each GPU lives for 65 s, and set-up and an epoch take 70.
    fleet = BrittleFleet(lives=iter([65.0] * 200), spot_loss=55.0)
    with pytest.raises(UserError, match="lost its machine 20 times before its next checkpoint"):
        Phase(OneRun(), fleet, asked=1, draws=draws, waits=False).play()
    # Many losses, between which it goes on, are none.
    going_on = BrittleFleet(lives=iter([75.0] * 200), checkpoint_interval_s=0.0)
    phase = Phase(OneRun(), going_on, asked=1, draws=draws, waits=False)
    phase.play()
    assert phase.runs[0].losses == 3


@pytest.mark.parametrize("metric", ["macro_f1", "loss"])
def test_seeds_differ_whatever_the_metric(metric: str) -> None:
    space = make_space(metric=metric)
    world = AnalyticWorld(space=space, noise=0.05, wobble=0.0, peaks=dict.fromkeys(ARMS, 0.99))
    run = simulate(space, world, Fleet()).confirmations[0].assignment
    courses = [world.course(replace(run, seed=seed)) for seed in range(50)]
    ends = np.array([course.values[-1] for course in courses])
    assert ends.std() > 0.02
    if metric == "macro_f1":
        assert all((c.values >= 0).all() and (c.values <= 1).all() for c in courses)


def test_losses_cost_time_and_change_no_curve() -> None:
    calm, stormy = search(gpus=1), search(gpus=1, spot_loss=10.0)
    assert sum(run.losses for run in stormy.runs) > 0
    assert stormy.seconds > calm.seconds
    key = [(run.assignment, run.epochs, run.state) for run in calm.runs]
    assert key == [(run.assignment, run.epochs, run.state) for run in stormy.runs]
    assert stormy.accelerator_s == pytest.approx(calm.accelerator_s)
    assert stormy.lost_s > calm.lost_s
    assert stormy.accelerator_s + stormy.lost_s <= stormy.fleet_s * (1 + 1e-9)


def test_coordinates_are_in_the_unit_cube() -> None:
    space = make_space()
    config = TrialConfig(backbone="resnet50", unfreeze_depth=2, crop_size=64, lr_head=1e-2)
    assert coordinates(space, "resnet50", config) == pytest.approx([0.5, 1.0, 2 / 3])
    outside = TrialConfig(backbone="resnet50", unfreeze_depth=5, crop_size=32, lr_head=1.0)
    assert coordinates(space, "resnet50", outside) == pytest.approx([1.0, 0.0, 1.0])
