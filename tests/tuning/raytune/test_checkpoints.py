"""A run's own checkpoints: whole or absent, the newest first; a run continues from them."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import ray
import torch

from fer_tune.errors import EnvironmentFault
from fer_tune.records import Results
from fer_tune.space import TrialConfig
from fer_tune.training.learning_curve import EpochReport
from fer_tune.tuning.log.assignment import Assignment
from fer_tune.tuning.log.events import EventLog, History
from fer_tune.tuning.monitor.recorder import Recorder
from fer_tune.tuning.raytune.checkpoints import Checkpoints
from fer_tune.tuning.raytune.replay import Recording, ReplayedRun, replay_settings
from fer_tune.tuning.raytune.trainable import TrialActor
from tests.tuning.conftest import make_space

RUN = Assignment(
    number=3,
    arm="a",
    replicate=0,
    cohort="tpe",
    seed=0,
    weights_seed=0,
    view_seed=0,
    config=TrialConfig(backbone="resnet18"),
)
VALUES = [0.1, 0.2, 0.3, 0.25, 0.4, 0.35]
MEMORY = [300.0, 100.0, 200.0, 50.0, 50.0, 50.0]


def saved(folder: Path, *epochs: int) -> Checkpoints:
    checkpoints = Checkpoints(folder, 3)
    checkpoints.make_folder()
    for epoch in epochs:
        state = f"state {epoch}"
        checkpoints.save(epoch, {"epoch": epoch}, lambda f, s=state: _write(f, s))
    return checkpoints


def _write(folder: Path, text: str) -> None:
    (folder / "state").write_text(text)


def found(checkpoints: Checkpoints) -> list[tuple[int, str]]:
    return [
        (point.result["epoch"], (point.folder / "state").read_text())
        for point in checkpoints.newest_first()
    ]


def test_the_newest_comes_first_and_two_are_kept(tmp_path: Path) -> None:
    checkpoints = saved(tmp_path, 8, 9, 10, 11)
    assert found(checkpoints) == [(11, "state 11"), (10, "state 10")]
    assert sorted(p.name for p in checkpoints.folder.iterdir()) == ["0010", "0011"]
    assert found(Checkpoints(tmp_path, 30)) == []


@pytest.mark.parametrize("result", [None, "", '{"epo'])
def test_one_whose_result_is_torn_is_passed_over(tmp_path: Path, result: str | None) -> None:
    checkpoints = saved(tmp_path, 1, 2)
    newest = checkpoints.folder / "0002" / "result.json"
    newest.unlink() if result is None else newest.write_text(result)
    assert found(checkpoints) == [(1, "state 1")]


def test_what_a_kill_left_of_a_write_is_no_checkpoint(tmp_path: Path) -> None:
    checkpoints = saved(tmp_path, 1)
    half = checkpoints.folder / ".0123456789abcdef"
    half.mkdir()
    _write(half, "half")
    (half / "result.json").write_text('{"epoch": 2}')
    assert found(checkpoints) == [(1, "state 1")]
    checkpoints.drop()
    assert not checkpoints.folder.exists()


def test_a_write_that_fails_leaves_everything_as_it_was(tmp_path: Path) -> None:
    checkpoints = saved(tmp_path, 1, 2)

    def refused(folder: Path) -> None:
        _write(folder, "half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        checkpoints.save(3, {"epoch": 3}, refused)
    assert found(checkpoints) == [(2, "state 2"), (1, "state 1")]
    assert sorted(p.name for p in checkpoints.folder.iterdir()) == ["0001", "0002"]


def test_an_epoch_that_is_trained_again_replaces_its_checkpoint(tmp_path: Path) -> None:
    checkpoints = saved(tmp_path, 1, 2)
    checkpoints.save(2, {"epoch": 2}, lambda folder: _write(folder, "again"))
    assert found(checkpoints) == [(2, "again"), (1, "state 1")]


@pytest.fixture
def actor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes actors of the same run, each as a process that took it up, without Ray.

    They save every epoch; ``test_replayed_epochs.py`` has those that do not.
    """
    monkeypatch.setattr(ray._raylet, "setproctitle", lambda title: None)
    space = make_space(budget={"trials": 2, "max_epochs": 6}, stopper={"enabled": False})

    def make(kind: type[ReplayedRun] = ReplayedRun) -> TrialActor:
        made = object.__new__(TrialActor)  # the base class wants a running Ray
        made.setup(
            {"run": RUN.as_dict()},
            replace(replay_settings(space, tmp_path), checkpoint_interval_s=0.0),
            partial(kind, lambda assignment: Recording(values=VALUES, memory=MEMORY)),
        )
        return made

    return make


def test_a_process_is_named_by_the_run_that_it_trains(
    actor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    titles: list[str] = []
    had_ray = ray.is_initialized()
    monkeypatch.setattr(ray._raylet, "setproctitle", titles.append)
    one = actor()
    one.step()
    other = replace(RUN, number=12, config=replace(RUN.config, crop_size=96, unfreeze_depth=4))
    one.reset_config({"run": other.as_dict()})
    one.step()
    crop, depth = RUN.config.crop_size, RUN.config.unfreeze_depth
    first = f"{RUN.arm}/{RUN.number:04d}/{crop}/{depth}"
    assert titles == [f"ray::{first}", f"ray::{RUN.arm}/0012/96/4"]
    assert repr(one) == f"{RUN.arm}/0012/96/4"
    assert ray.is_initialized() == had_ray, "asking for the node must not start a Ray"


def steps(actor: TrialActor, count: int) -> list[tuple[int, float]]:
    return [(r["epoch"], r["val_macro_f1"]) for r in (actor.step() for _ in range(count))]


def test_an_epochs_memory_is_its_own_and_a_trials_the_most(actor: Any, tmp_path: Path) -> None:
    log, history = EventLog.begin(tmp_path, {}), History(identity={})
    recorder = Recorder(Results(tmp_path), log, history, classes=("x", "y"), gpu=0.0, cpu=1.0)
    trial: Any = SimpleNamespace(config={"run": RUN.as_dict()}, trial_id="x")
    one = actor()
    for _ in MEMORY:
        recorder.on_trial_result(trial, one.step())
    recorder.on_trial_complete(trial)
    recorder.close()
    assert recorder.results.read("epochs")["peak_memory_mib"].tolist() == MEMORY
    assert recorder.results.read("trials")["peak_memory_mib"].tolist() == [300.0]
    older = history.runs[3].results[1]
    del older["epoch_peak_memory_mib"]  # as logs that began earlier have it: the most so far
    recorder.results.remove("trials", "trial-000003")
    recorder.repair()
    assert recorder.results.read("epochs")["peak_memory_mib"].tolist()[:3] == [300.0, 300.0, 200.0]


class Split(ReplayedRun):
    """A run whose batches were split in its second epoch, on an accelerator."""

    def run_epoch(self) -> EpochReport | None:
        report = super().run_epoch()
        assert report is not None
        split = replace(
            report,
            micro_batch=16 if report.epoch == 2 else 64,
            peak_reserved_mib=MEMORY[report.epoch - 1] + 50,
        )
        self.curve.reports[-1] = split
        return split


def test_micro_batches_and_reserved_memory_are_recorded(
    actor: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(
        Results(tmp_path),
        EventLog.begin(tmp_path, {"space": {"budget": {}}}),
        History(identity={}),
        classes=("x", "y"),
        gpu=0.5,
        cpu=1.0,
    )
    trial: Any = SimpleNamespace(config={"run": RUN.as_dict()}, trial_id="x")
    recorder.plan([replace(RUN, cohort="confirm")])  # an event for the run, before its reports
    one = actor(Split)
    for _ in MEMORY:
        recorder.on_trial_result(trial, one.step())
    recorder.on_trial_complete(trial)
    recorder.close()
    epochs, trials = (recorder.results.read(name) for name in ("epochs", "trials"))
    assert epochs["micro_batch"].tolist() == [64, 16, 64, 64, 64, 64]
    assert epochs["peak_reserved_mib"].tolist() == [m + 50 for m in MEMORY]
    assert trials["micro_batch"].tolist() == [16]
    assert trials["peak_reserved_mib"].tolist() == [350.0]
    read = History.read(tmp_path).runs[3]
    assert [result["epoch_micro_batch"] for result in read.results][:3] == [64, 16, 64]


def test_reports_without_these_columns_leave_them_null(actor: Any, tmp_path: Path) -> None:
    """As those of earlier versions, and reserved memory on the CPU."""
    log, history = EventLog.begin(tmp_path, {}), History(identity={})
    recorder = Recorder(Results(tmp_path), log, history, classes=("x", "y"), gpu=0.0, cpu=1.0)
    trial: Any = SimpleNamespace(config={"run": RUN.as_dict()}, trial_id="x")
    one = actor()
    for _ in MEMORY:
        reported = one.step()
        for name in ("micro_batch", "peak_reserved_mib"):
            assert reported.pop(name) is None and reported.pop(f"epoch_{name}") is None
        recorder.on_trial_result(trial, reported)
    recorder.on_trial_complete(trial)
    for table in ("epochs", "trials"):
        rows = recorder.results.read(table)
        assert rows["micro_batch"].isna().all() and rows["peak_reserved_mib"].isna().all()


@pytest.mark.parametrize(
    "error",
    [torch.OutOfMemoryError("no"), RuntimeError("can't allocate memory"), MemoryError()],
    ids=["accelerator", "host", "Python"],
)
def test_a_lack_of_memory_in_a_restore_is_no_reason_to_start_over(
    actor: Any, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    steps(actor(), 3)

    def lacking(run: ReplayedRun, folder: Path) -> None:
        raise error

    again = actor()
    assert steps(again, 1) == [(3, 0.3)]
    with monkeypatch.context() as patch:
        patch.setattr(ReplayedRun, "restore", lacking)
        with pytest.raises(type(error)):
            again.step()
    # Ray restarts the trial: it continues where it was.
    assert steps(actor(), 2) == [(3, 0.3), (4, 0.25)]


def test_a_lack_of_memory_after_a_restore_keeps_the_curve(actor: Any) -> None:
    steps(actor(), 3)

    class Lacking(ReplayedRun):
        def restore(self, folder: Path) -> None:
            super().restore(folder)
            self.curve.out_of_memory, self.curve.oom_had_share = True, False

        def run_epoch(self) -> EpochReport | None:
            return None

    again = actor(Lacking)
    assert steps(again, 1) == [(3, 0.3)]
    last = again.step()
    assert (last["epoch"], last["epochs"], last["ran"]) == (3, 3, False)
    assert (last["stop_reason"], last["oom_had_share"]) == ("oom", False)
    assert last["best_val_macro_f1"] == 0.3


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_trial_with_a_share_of_a_gpu_fails_where_there_is_none(tmp_path: Path) -> None:
    space = make_space(budget={"trials": 2, "max_epochs": 6})
    settings = replay_settings(space, tmp_path)
    settings = replace(settings, context=replace(settings.context, gpu=0.5))
    made = object.__new__(TrialActor)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ray._raylet, "setproctitle", lambda title: None)
        patch.delenv("PYTORCH_ALLOC_CONF", raising=False)
        made.setup({"run": RUN.as_dict()}, settings)
        assert os.environ["PYTORCH_ALLOC_CONF"] == "expandable_segments:True"
        with pytest.raises(EnvironmentFault, match="no GPU that torch can use: "):
            made.step()
        patch.setenv("PYTORCH_ALLOC_CONF", "")


def test_another_process_reports_the_last_epoch_again_and_goes_on(actor: Any) -> None:
    assert steps(actor(), 3) == [(1, 0.1), (2, 0.2), (3, 0.3)]
    assert steps(actor(), 2) == [(3, 0.3), (4, 0.25)]
    later = actor()
    assert steps(later, 3) == [(4, 0.25), (5, 0.4), (6, 0.35)]
    ended = actor().step()
    assert (ended["epoch"], ended["done"], ended["stop_reason"]) == (6, True, "completed")


@pytest.mark.parametrize("torn", [["0003"], ["0002", "0003"]])
def test_states_that_were_lost_are_trained_again_to_the_same_end(
    actor: Any, tmp_path: Path, torn: list[str]
) -> None:
    first = actor()
    steps(first, 3)
    for name in torn:
        (tmp_path / "checkpoints" / "000003" / name / "curve.json").write_text('[{"epoch"')
    again = actor()
    goes_on_at = 4 - len(torn) if len(torn) == 1 else 1
    expected = [(3, 0.3), *((e, VALUES[e - 1]) for e in range(goes_on_at, 7))]
    assert steps(again, len(expected)) == expected


def test_the_clock_of_a_run_goes_on(actor: Any) -> None:
    before = actor().step()
    later = actor()
    later.step()
    after = later.step()
    assert after["started"] == before["started"] and after["seconds"] >= before["seconds"]
