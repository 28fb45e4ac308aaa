"""A run's checkpoints at a URL: whole or absent, and any machine continues from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import ray

from fer_tune.records import Results
from fer_tune.storage import UrlPath, local_copy, url_path
from fer_tune.tuning.log.events import EventLog, History
from fer_tune.tuning.log.run_history import RunHistory
from fer_tune.tuning.monitor.recorder import Recorder
from fer_tune.tuning.raytune.checkpoints import Checkpoints
from fer_tune.tuning.raytune.replay import Recording, ReplayedRun, replay_settings
from fer_tune.tuning.raytune.trainable import TrialActor
from tests.object_store import ObjectStore
from tests.tuning.conftest import make_space
from tests.tuning.raytune.test_checkpoints import RUN, VALUES, steps


def saved(folder: UrlPath, *epochs: int) -> Checkpoints:
    checkpoints = Checkpoints(folder.url, 3)
    for epoch in epochs:
        checkpoints.save(epoch, {"epoch": epoch}, _writes(f"state {epoch}"))
    return checkpoints


def _writes(text: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / "inner").mkdir()
        (folder / "inner/state").write_text(text)

    return write


def found(checkpoints: Checkpoints) -> list[tuple[int, str]]:
    read = []
    for point in checkpoints.newest_first():
        with local_copy(point.folder) as folder:
            read.append((point.result["epoch"], (folder / "inner/state").read_text()))
    return read


def test_the_newest_comes_first_two_are_kept_and_none_after_the_end(store: ObjectStore) -> None:
    folder = store.folder("checkpoints/kept")
    checkpoints = saved(folder, 8, 9, 10, 11)
    assert found(checkpoints) == [(11, "state 11"), (10, "state 10")]
    assert store.keys(folder) == [
        f"checkpoints/000003/{epoch}/{name}"
        for epoch in ("0010", "0011")
        for name in ("inner/state", "result.json")
    ]
    assert found(Checkpoints(folder, 30)) == []
    checkpoints.drop()
    assert store.keys(folder) == [] and found(checkpoints) == []


@pytest.mark.parametrize("result", [None, b"", b'{"epo'])
def test_one_without_a_whole_result_is_passed_over(
    store: ObjectStore, result: bytes | None
) -> None:
    folder = store.folder(f"checkpoints/torn-{result!r:.4}")
    checkpoints = saved(folder, 1, 2)
    newest = folder / "checkpoints/000003/0002/result.json"
    newest.unlink() if result is None else newest.write_bytes(result)
    assert found(checkpoints) == [(1, "state 1")]


def test_a_report_that_cannot_be_fetched_is_no_reason_to_pass_over_it(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run would start over, as if it had no checkpoint."""
    checkpoints = saved(store.folder("checkpoints/unfetched"), 1, 2)

    def unavailable(where: UrlPath, most: int) -> bytes:
        raise OSError(113, "the store is unavailable", str(where))

    with monkeypatch.context() as patched:
        patched.setattr("fer_tune.tuning.raytune.checkpoints.read_at_most", unavailable)
        with pytest.raises(OSError, match="unavailable"):
            found(checkpoints)
    assert len(found(checkpoints)) == 2


def test_a_kill_between_state_and_result_leaves_the_epoch_before(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the same epoch had been saved: its result does not stand beside another state."""
    checkpoints = saved(store.folder("checkpoints/between"), 1, 2)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("fer_tune.tuning.raytune.checkpoints.write_atomically", killed)
        with pytest.raises(KeyboardInterrupt):
            checkpoints.save(2, {"epoch": 2}, _writes("another"))
    assert found(checkpoints) == [(1, "state 1")]


def test_a_run_that_has_ended_keeps_its_report_alone(store: ObjectStore) -> None:
    checkpoints = saved(store.folder("checkpoints/ended"), 1)
    ended = {"ran": True, "epoch": 2, "done": True}
    checkpoints.save(2, ended, lambda folder: None)
    assert next(checkpoints.newest_first()).result == ended


def test_a_resume_asks_little_of_the_runs_that_have_ended(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store takes its time over every question, and there may be a thousand of them."""
    folder = store.folder("checkpoints/repaired")
    history = History(identity={})
    for number in range(20):
        run = RunHistory(assignment=replace(RUN, number=number), planned="tpe", done=True)
        history.runs[number] = run
    results, log = Results(folder), EventLog.begin(folder, {})
    recorder = Recorder(results, log, history, classes=("x",), gpu=0, cpu=1)
    saved(folder, 1)  # of run 3, which a kill left
    recorder.repair()
    assert len(results.read("trials")) == 20 and not (folder / "checkpoints/000003").exists()
    saved(folder, 1)
    results.remove("trials", "trial-000007")
    asked: list[str] = []
    real = url_path.with_retries
    monkeypatch.setattr(
        url_path, "with_retries", lambda where, do: asked.append(where) or real(where, do)
    )
    recorder.repair()
    assert len(asked) < 10, asked
    assert len(results.read("trials")) == 20 and not (folder / "checkpoints/000003").exists()


@pytest.fixture
def actor(store: ObjectStore, request: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes actors of the same run, each as a process that took it up, without Ray."""
    monkeypatch.setattr(ray._raylet, "setproctitle", lambda title: None)
    space = make_space(budget={"trials": 2, "max_epochs": 6}, stopper={"enabled": False})
    settings = replay_settings(space, store.folder(f"checkpoints/{request.node.name}"))
    settings = replace(settings, checkpoint_interval_s=0.0)

    def make() -> TrialActor:
        made = object.__new__(TrialActor)  # the base class wants a running Ray
        play = partial(ReplayedRun, lambda assignment: Recording(values=VALUES))
        made.setup({"run": RUN.as_dict()}, settings, play)
        return made

    return make


def test_another_process_reports_the_last_epoch_again_and_goes_on(actor: Any) -> None:
    assert steps(actor(), 3) == [(1, 0.1), (2, 0.2), (3, 0.3)]
    assert steps(actor(), 2) == [(3, 0.3), (4, 0.25)]
    assert steps(actor(), 3) == [(4, 0.25), (5, 0.4), (6, 0.35)]


def test_a_state_that_cannot_be_fetched_is_no_reason_to_begin_anew(
    actor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps(actor(), 2)
    between = actor()
    between.step()

    def away(*_: object, **__: object) -> None:
        raise OSError("AWS Error NETWORK_CONNECTION during GetObject operation: curlCode: 7, x")

    with monkeypatch.context() as patched:
        patched.setattr("pyarrow.fs.copy_files", away)
        result = between.step()
    assert "is unavailable" in result["disk_fault"][1] and result["epoch"] == 0
    assert steps(actor(), 2) == [(2, 0.2), (3, 0.3)]


@pytest.mark.slow
def test_a_store_that_is_unavailable_is_reported_and_no_run_starts_over(
    actor: Any, store: ObjectStore
) -> None:
    running = actor()
    steps(running, 2)
    between = actor()
    between.step()  # what it had reported before; the state is fetched with the next epoch
    store.stop()
    try:
        cut_off, late, unfetched = running.step(), actor().step(), between.step()
    finally:
        store.start()
    for result in (cut_off, late, unfetched):
        number, text, where = result["disk_fault"]
        assert number == 113 and "is unavailable" in text and "checkpoints/" in where
    assert late["done"] and late["epoch"] == 0 and cut_off["epoch"] == 3
    assert unfetched["done"] and unfetched["epoch"] == 0
    assert steps(actor(), 2) == [(2, 0.2), (3, 0.3)]
