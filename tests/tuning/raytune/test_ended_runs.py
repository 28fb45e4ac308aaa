"""What an ended run leaves behind in the processes that go on: nothing that grows or takes time."""

from __future__ import annotations

import functools
import gc
import subprocess
import sys
import weakref
from pathlib import Path
from typing import Any

import pytest
from ray.tune.experiment import Trial

from fer_tune.tuning.raytune.callback import ForgetEnded
from fer_tune.tuning.raytune.replay import Recording, ReplayedRun, replay_settings
from fer_tune.tuning.raytune.trainable import TrialActor
from tests.tuning.conftest import make_space
from tests.tuning.raytune.test_checkpoints import RUN


class Cyclic(ReplayedRun):
    """A run in a reference cycle, as networks are, which only the collector frees."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.itself = self


@pytest.fixture
def actor(tmp_path: Path) -> Any:
    made = object.__new__(TrialActor)  # the base class wants a running Ray
    space = make_space(budget={"trials": 2, "max_epochs": 6})
    play = functools.partial(Cyclic, lambda assignment: Recording(values=[0.1] * 6))
    made.setup({"run": RUN.as_dict()}, replay_settings(space, tmp_path), play)
    yield made
    gc.unfreeze()


@pytest.mark.usefixtures("with_torch")
def test_the_next_run_finds_the_memory_of_the_last_free(actor: Any) -> None:
    last = weakref.ref(actor.run)
    assert last() is not None
    gc.disable()
    try:
        actor.reset_config({"run": RUN.as_dict()})
        assert last() is None
    finally:
        gc.enable()


@pytest.fixture
def with_torch() -> None:
    pytest.importorskip("torch")


def test_between_runs_the_modules_are_not_searched_for_garbage(actor: Any) -> None:
    frozen = gc.get_freeze_count()
    assert frozen > 50_000, "torch and Ray alone have more objects"
    assert len(gc.get_objects()) < frozen / 10


RECORDED = """
import gc, time
from tests.tuning.raytune.test_ended_runs import *
import torch
gc.unfreeze()
def seconds():
    began = time.process_time(); gc.collect(); return time.process_time() - began
whole = seconds(); gc.freeze(); print(whole / max(seconds(), 1e-6))
"""


def test_that_search_takes_long() -> None:
    """The reason for it: otherwise the collector looks through all modules for every run."""
    done = subprocess.run(
        [sys.executable, "-c", RECORDED], capture_output=True, text=True, check=True
    )
    assert float(done.stdout) > 10


@pytest.mark.parametrize("hook", ["on_trial_complete", "on_trial_error"])
def test_ray_keeps_no_statistics_of_ended_trials(hook: str) -> None:
    one = Trial("a", stub=True)
    one.update_last_result({f"value {k}": float(k) for k in range(30)})
    assert one.run_metadata.metric_analysis and one.run_metadata.metric_n_steps and one.last_result
    getattr(ForgetEnded(), hook)(trial=one)
    kept = one.run_metadata
    assert not (kept.metric_analysis or kept.metric_n_steps or kept.last_result)
