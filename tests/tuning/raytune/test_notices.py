"""A process that may end soon saves its run: a drained machine, SIGTERM, Ctrl-C at the driver."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import ray
from ray.tune.experiment import Trial
from rich.console import Console

from fer_tune import ray_private
from fer_tune.tuning.raytune.interruption import DrainedError, Interruption
from fer_tune.tuning.raytune.replay import Recording, ReplayedRun, replay_settings
from fer_tune.tuning.raytune.trainable import TrialActor
from fer_tune.tuning.raytune.worker import notices
from tests.tuning.conftest import make_space
from tests.tuning.raytune.test_checkpoints import RUN, VALUES

ROOT = Path(__file__).resolve().parents[3]


def waited(reached: Callable[[], bool], within_s: float = 20.0) -> bool:
    deadline = time.monotonic() + within_s
    while not reached() and time.monotonic() < deadline:
        time.sleep(0.01)
    return reached()


# -- the machine ------------------------------------------------------------------------------


def test_a_drain_is_acted_on_once_whatever_ray_answers_before() -> None:
    answers: list[Any] = [False, RuntimeError("the GCS is unavailable"), False, True, True]
    acted: list[int] = []

    def is_draining() -> bool:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return bool(answer)

    watch = notices.DrainWatch(lambda: acted.append(1), is_draining=is_draining, interval_s=0.001)
    assert waited(lambda: not watch._thread.is_alive())
    assert acted == [1] and answers == [True]


def test_a_closed_watch_asks_no_more() -> None:
    asked: list[int] = []
    watch = notices.DrainWatch(
        lambda: None, is_draining=lambda: bool(asked.append(1)), interval_s=0.001
    )
    assert waited(lambda: len(asked) > 2)
    watch.close()
    assert waited(lambda: not watch._thread.is_alive())


# -- SIGTERM ----------------------------------------------------------------------------------

#: A process in the middle of epoch 3 whose checkpoints are due in an hour.
PROCESS = """
import os, signal, sys, time
from pathlib import Path
from fer_tune.tuning.raytune.checkpoints import Checkpoints
from fer_tune.tuning.raytune.worker.notices import act_on_sigterm
from fer_tune.tuning.raytune.worker.writer import CheckpointWriter, RunState

signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(7))  # as Ray's
writer = CheckpointWriter(Checkpoints(Path(sys.argv[1]), 3), interval_s=3600.0)
act_on_sigterm(lambda: writer.flush(20))
def state(epoch):
    write = lambda folder: (time.sleep(0.2), (folder / "state").write_text(str(epoch)))
    return RunState(epoch=epoch, result={"epoch": epoch}, write=write)
for epoch in (1, 2):
    writer.offer(state(epoch))
if sys.argv[2] == "locked":
    with writer._changed:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
if sys.argv[2] == "waiting":  # for its own write
    import threading
    threading.Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGTERM)).start()
    writer.flush()
    time.sleep(60)
os.kill(os.getpid(), signal.SIGTERM)
time.sleep(60)
"""


@pytest.mark.parametrize("when", ["training", "locked", "waiting"])
def test_sigterm_saves_the_last_epoch_before_the_process_ends(tmp_path: Path, when: str) -> None:
    command = [sys.executable, "-c", PROCESS, str(tmp_path), when]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=50)
    assert done.returncode == 7, done.stderr
    assert (tmp_path / "checkpoints/000003/0002/state").read_text() == "2"


def test_without_a_handler_the_process_ends_by_the_signal() -> None:
    code = (
        "import os, signal, time\n"
        "from fer_tune.tuning.raytune.worker.notices import act_on_sigterm\n"
        "signal.signal(signal.SIGTERM, signal.SIG_DFL)\n"
        "act_on_sigterm(lambda: print('saved', flush=True))\n"
        "os.kill(os.getpid(), signal.SIGTERM)\n"
        "time.sleep(60)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=50
    )
    assert (done.returncode, done.stdout) == (-signal.SIGTERM, "saved\n"), done.stderr


def test_an_ignored_sigterm_stays_ignored_and_threads_install_nothing() -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        notices.act_on_sigterm(lambda: None)
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)
    thread = threading.Thread(target=notices.act_on_sigterm, args=(lambda: None,))
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGTERM) is before


# -- Ctrl-C at the driver -----------------------------------------------------------------------


def running(*names: str) -> list[Any]:
    return [SimpleNamespace(trial_id=name, status=Trial.RUNNING) for name in names]


def test_an_interrupted_search_waits_for_epochs_that_are_saved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent: list[bool] = []
    monkeypatch.setattr(
        "fer_tune.tuning.raytune.interruption.announce_interruption",
        lambda announced=True: sent.append(announced),
    )
    interruption, trials = Interruption(Console(quiet=True)), running("a", "b")
    interruption.on_step_end(trials=trials)
    with interruption.listening():
        os.kill(os.getpid(), signal.SIGINT)
    interruption.on_step_end(trials=trials)
    assert sent == [True]
    # That of `a` ended before its process had heard of it.
    interruption.on_trial_result(trial=trials[0], result={"checkpointed": False})
    interruption.on_trial_result(trial=trials[1], result={"checkpointed": True})
    interruption.on_step_end(trials=trials)
    interruption.on_trial_result(trial=trials[0], result={"checkpointed": True})
    with pytest.raises(DrainedError):
        interruption.on_step_end(trials=trials)
    interruption.setup()
    assert sent == [True, False], "a later phase of the same process saves when it is due again"


def test_without_ray_nothing_is_asked() -> None:
    if not ray.is_initialized():
        notices.announce_interruption()
        assert not notices.interruption_announced()


# -- with Ray -----------------------------------------------------------------------------------


class Trainer:
    """A trial's process, as far as the run goes; Ray Tune would call ``step``."""

    def __init__(self, folder: str, seconds: float) -> None:
        space = make_space(budget={"trials": 2, "max_epochs": 6}, stopper={"enabled": False})
        settings = replace(replay_settings(space, Path(folder)), checkpoint_interval_s=3600.0)
        play = partial(ReplayedRun, lambda run: Recording(values=VALUES, seconds=seconds))
        self.actor = object.__new__(TrialActor)
        self.actor.setup({"run": RUN.as_dict()}, settings, play)

    def pid(self) -> int:
        return os.getpid()

    def step(self) -> dict[str, Any]:
        return self.actor.step()

    def draining(self) -> bool:
        return notices.on_this_node_draining()


@pytest.fixture
def trainer(ray_here: Any, tmp_path: Path) -> Any:
    made = ray.remote(num_cpus=1)(Trainer).remote(str(tmp_path), 0.0)
    yield made
    ray.kill(made)


def saved(folder: Path) -> list[int]:
    found = sorted((folder / "checkpoints/000003").glob("*/result.json"))
    return [json.loads(file.read_text())["epoch"] for file in found]


@pytest.mark.ray
def test_a_process_of_ray_saves_its_run_at_sigterm(trainer: Any, tmp_path: Path) -> None:
    for _ in range(2):
        assert not ray.get(trainer.step.remote())["checkpointed"]
    assert saved(tmp_path) == []
    os.kill(ray.get(trainer.pid.remote()), signal.SIGTERM)
    assert waited(lambda: saved(tmp_path) == [2])


@pytest.mark.ray
def test_processes_hear_of_an_interruption_and_of_its_end(trainer: Any, tmp_path: Path) -> None:
    assert not ray.get(trainer.step.remote())["checkpointed"]
    notices.announce_interruption()
    try:
        assert ray.get(trainer.step.remote())["checkpointed"] and saved(tmp_path) == [2]
    finally:
        notices.announce_interruption(False)
    assert not ray.get(trainer.step.remote())["checkpointed"]


@pytest.mark.ray
def test_ray_lists_nodes_that_are_drained(trainer: Any) -> None:
    assert ray_private.draining_nodes() == {}
    assert not ray.get(trainer.draining.remote())
