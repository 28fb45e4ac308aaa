"""Thirty recorded curves through the real Ray Tune, read back from studies and records."""

from __future__ import annotations

import functools
import math
from typing import Any

import pandas as pd
import pytest
from optuna.trial import TrialState
from rich.console import Console

from fer_tune.records import Results
from fer_tune.tuning.log.assignment import Assignment
from fer_tune.tuning.log.events import EventLog, History
from fer_tune.tuning.monitor.mirrors import Journal, TensorBoard
from fer_tune.tuning.monitor.progress import Progress
from fer_tune.tuning.monitor.recorder import Recorder, reason_of
from fer_tune.tuning.raytune.interruption import Interruption
from fer_tune.tuning.raytune.replay import Recording, ReplayedRun, replay_settings
from fer_tune.tuning.raytune.tune_runner import run_phase
from fer_tune.tuning.studies.asha import StudyAsha
from fer_tune.tuning.studies.searcher import StudySearcher
from tests.tuning.conftest import make_space

EPOCHS = 9


def play(run: Assignment) -> Recording:
    """A kind of curve for every number, the same in both arms."""
    kind = (run.number // 2) % 6
    top = 0.3 + 0.02 * run.number  # later ones are better, so that ASHA lets them live
    rising = [top * (1 - 0.5**e) for e in range(1, EPOCHS + 1)]
    if kind == 1:  # peaks early, then overfits
        return Recording(
            values=[top, top, 0.9, *[0.9 - 0.1 * e for e in range(1, 7)]],
            val_loss=[1.6, 1.3, 1.0, 1.3, 1.6, 1.9, 2.2, 2.5, 2.8],
        )
    if kind == 2:  # hopeless
        return Recording(values=[0.01] * EPOCHS)
    if kind == 3:  # diverges at the second epoch
        return Recording(values=[0.95] * EPOCHS, val_loss=[1.0, *[math.nan] * 8])
    if kind == 4 and run.config.crop_size > 32 and run.config.unfreeze_depth > 1:
        return Recording(values=rising, oom_at=1)
    if kind == 5 and run.number > 20:
        return Recording(values=rising, crash_at=1)
    return Recording(values=rising)


@pytest.fixture(scope="module")
def searched(ray_here: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    space = make_space(budget={"trials": 30, "max_epochs": EPOCHS})
    results = Results(tmp_path_factory.mktemp("search"))
    log = EventLog.begin(results.root, {"space": space.as_dict()})
    history = History.read(results.root)
    searcher = StudySearcher(space, log)
    scheduler = StudyAsha(max_epochs=EPOCHS, grace_epochs=1, reduction_factor=3)
    out = (results.root / "console.txt").open("w")
    console = Console(file=out, width=200)
    run_phase(
        space,
        replay_settings(space, results.root),
        name="search",
        asked=4,
        callbacks=[
            Recorder(results, log, history, classes=("x", "y"), gpu=0.0, cpu=1.0),
            TensorBoard(results.root / "tensorboard", history),
            Journal(results.root / "optuna.journal", searcher),
            Progress(console, results, total=30, title="search"),
        ],
        interruption=Interruption(console),
        scheduler=scheduler,
        searcher=searcher,
        make_run=functools.partial(ReplayedRun, play),
    )
    out.close()
    return searcher, results, scheduler


def ended_trials(searcher: StudySearcher) -> dict[int, Any]:
    """Optuna's trials by own number."""
    # A proposal that the memory wall refused bears the number of the one that followed it.
    return {t.user_attrs["trial"]: t for s in searcher.studies for t in s.study.get_trials()}


STATES = {
    "complete": TrialState.COMPLETE,
    "overfit": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "diverged": TrialState.PRUNED,
    "oom": TrialState.FAIL,
    "failed": TrialState.FAIL,
}


@pytest.mark.ray
def test_every_trial_is_recorded_once_and_reported_as_it_ended(searched: Any) -> None:
    searcher, results, _ = searched
    trials = results.read("trials")
    assert trials["trial"].tolist() == list(range(30))
    assert trials["arm"].value_counts().to_dict() == {"densenet161": 15, "resnet152": 15}
    assert set(trials["state"]) == set(STATES)
    by_number = ended_trials(searcher)
    for row in trials.itertuples():
        assert by_number[row.trial].state == STATES[row.state], (row.trial, row.state)


@pytest.mark.ray
def test_complete_is_reported_the_best_value_and_pruned_every_one(searched: Any) -> None:
    searcher, results, _ = searched
    trials = results.read("trials").set_index("trial")
    epochs = results.read("epochs")
    by_number = ended_trials(searcher)
    last_differs = 0
    for number, row in trials.iterrows():
        curve = epochs[epochs["trial"] == number]["val_macro_f1"]
        finite = curve[curve.notna()]
        optuna_trial = by_number[number]
        if row["state"] in ("complete", "overfit"):
            assert optuna_trial.value == pytest.approx(finite.max())
            last_differs += finite.iloc[-1] < finite.max()
        if row["state"] != "failed":
            assert list(optuna_trial.intermediate_values.values()) == pytest.approx(list(finite))
    assert last_differs > 0, "no curve here could tell best from last"


@pytest.mark.ray
def test_overfitted_trials_are_stopped_with_their_onset(searched: Any) -> None:
    _, results, _ = searched
    trials = results.read("trials")
    overfit = trials[trials["state"] == "overfit"]
    assert len(overfit) and (overfit["onset_epoch"] == 3).all()
    assert (overfit["epochs"] < EPOCHS).all() and (overfit["best_val_macro_f1"] == 0.9).all()


@pytest.mark.ray
def test_no_larger_one_is_asked_for_after_memory_ran_out(searched: Any) -> None:
    _, results, _ = searched
    trials = results.read("trials")
    for oom_limits in trials[trials["state"] == "oom"].itertuples():
        later = trials[(trials["arm"] == oom_limits.arm) & (trials["trial"] > oom_limits.trial + 4)]
        larger = (later["crop_size"] >= oom_limits.crop_size) & (
            later["unfreeze_depth"] >= oom_limits.unfreeze_depth
        )
        assert not larger.any()


@pytest.mark.ray
def test_rungs_are_kept_per_study_and_checkpoints_are_gone(searched: Any) -> None:
    _, results, scheduler = searched
    assert set(scheduler.rungs()) == {"densenet161/0", "resnet152/0"}
    assert list((results.root / "checkpoints").iterdir()) == []


@pytest.mark.ray
def test_processes_are_reused(searched: Any) -> None:
    _, results, _ = searched
    trials = results.read("trials")
    fast = trials[trials["epochs"] > 0].sort_values("started")["setup_seconds"]
    assert fast.median() < 0.5, "a reused process builds a recorded run in no time"


@pytest.mark.ray
def test_other_tools_can_read_the_mirrors(searched: Any) -> None:
    import optuna
    from optuna.storages.journal import JournalFileBackend, JournalStorage
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    searcher, results, _ = searched
    storage = JournalStorage(JournalFileBackend(str(results.root / "optuna.journal")))
    for study in searcher.studies:
        mirror = optuna.load_study(study_name=study.name, storage=storage)
        mirrored = {t.user_attrs["trial"]: (t.state, t.value) for t in mirror.trials}
        own = {t.user_attrs["trial"]: (t.state, t.value) for t in study.ended()}
        assert mirrored == own and len(mirror.trials) == len(own) == 15
    events = EventAccumulator(str(results.root / "tensorboard" / "densenet161" / "0" / "0000"))
    events.Reload()
    scalars = events.Scalars("macro_f1/val")
    assert [s.step for s in scalars] == list(range(1, len(scalars) + 1))
    assert "_hparams_/session_start_info" in events.summary_metadata


@pytest.mark.ray
def test_plain_lines_stand_for_the_table_where_there_is_no_terminal(searched: Any) -> None:
    _, results, _ = searched
    lines = (results.root / "console.txt").read_text().splitlines()
    epochs = pd.read_parquet(results.folder("epochs"))
    states = results.read("trials")["state"].value_counts()
    # A line per epoch and per end, and one per fault.
    assert len(lines) == len(epochs) + 30 + states["failed"]
    assert sum("recorded crash" in line and "errors/trial-" in line for line in lines) == 2
    assert any("state overfit" in line for line in lines)


@pytest.mark.ray
def test_the_log_reports_the_same_story_as_the_records(searched: Any) -> None:
    searcher, results, scheduler = searched
    history = History.read(results.root)
    trials = results.read("trials").set_index("trial")
    assert {n: reason_of(r) for n, r in history.runs.items()} == trials["stop_reason"].to_dict()
    rebuilt = StudyAsha(max_epochs=EPOCHS, grace_epochs=1, reduction_factor=3)
    rebuilt.replay(history.trials)
    assert rebuilt.rungs() == scheduler.rungs()
    again = StudySearcher(searcher.space, EventLog(results.root), history=history)
    assert again.remaining == 0
    for one, other in zip(searcher.studies, again.studies, strict=True):
        live, rebuilt_trials = (
            {
                t.user_attrs["trial"]: (t.state, t.value, t.params, t.intermediate_values)
                for t in s.ended()
            }
            for s in (one, other)
        )
        assert live == rebuilt_trials


@pytest.mark.ray
def test_a_failed_trial_leaves_its_traceback_in_a_file_of_its_own(searched: Any) -> None:
    _, results, _ = searched
    trials = results.read("trials")
    failed = trials[trials["state"] == "failed"]["trial"].tolist()
    assert len(failed) == 2
    for number in failed:
        text = (results.root / "errors" / f"trial-{number:06d}.txt").read_text()
        assert "in run_epoch" in text and "recorded crash" in text and "\x1b" not in text
