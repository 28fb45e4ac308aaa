"""Trials whose processes were killed for want of memory count as out of memory."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ray.exceptions import ActorDiedError, OutOfMemoryError
from ray.train._internal.storage import StorageContext
from ray.tune.experiment import Trial

from fer_tune.tuning.log.events import EventLog, History
from fer_tune.tuning.monitor.recorder import reason_of, state_of
from fer_tune.tuning.raytune.failures import failure_of, out_of_memory
from tests.lean_ray import lean_ray
from tests.tuning.apart import apart
from tests.tuning.conftest import make_space
from tests.tuning.raytune.test_placement import A, Cluster
from tests.tuning.recorded_stage import play_runs, run_of


class Kills:
    def __init__(self, recent: bool) -> None:
        self._recent = recent

    def recent(self) -> bool:
        return self._recent


MONITOR = "2 worker(s) were killed due to the node running low on memory. Refer to the docs"
DIED = str(ActorDiedError())


def written(folder: Path, *texts: str) -> Any:
    """A trial with these failures, one after the other, as Ray writes them."""
    storage = StorageContext(storage_path=str(folder), experiment_dir_name="x")
    trial = Trial("x", stub=True, storage=storage)
    trial.init_local_path()
    for text in texts:
        error = ActorDiedError() if text == DIED else OutOfMemoryError(text)
        trial.handle_error(error)
    return trial


@pytest.mark.parametrize(
    ("texts", "killed", "expected"),
    [
        ([MONITOR], False, True),
        ([DIED], True, True),  # by the system, as its count says
        ([DIED], False, False),
        (["ValueError: a bug"], True, False),
        ([MONITOR, DIED], False, False),  # the last one counts
        ([DIED, MONITOR], False, True),
        ([], True, False),
    ],
)
def test_which_errors_are_of_memory(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    texts: list[str],
    killed: bool,
    expected: bool,
) -> None:
    monkeypatch.setattr(
        "ray.train._internal.storage._get_ray_train_session_dir", lambda: str(tmp_path)
    )
    kills: Any = Kills(killed)
    failure = failure_of(written(tmp_path, *texts))
    assert out_of_memory(failure, kills) is expected
    assert "Refer to" not in failure.line


def test_the_machine_of_a_memory_kill_is_healthy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = Cluster(tmp_path, monkeypatch)
    first, second = cluster.trial(), cluster.trial()
    monkeypatch.setattr(cluster.placement.actors, "node_of_failure", lambda _: A)
    for trial in (first, second):
        trial.handle_error(OutOfMemoryError(MONITOR))
        cluster.placement.on_trial_error(None, trial)
    assert not cluster.shuns(A)
    assert first.run_metadata.num_failures == 1, "it counts against the trial"


def test_a_resume_knows_of_it(tmp_path: Path) -> None:
    log = EventLog.begin(tmp_path, {"space": make_space().as_dict()})
    for number, killed in ((0, True), (1, False)):
        log.append("asked", planned="random", run=run_of(number).as_dict())
        log.append("failed", trial=number, fault="died", out_of_memory=killed)
    runs = History.read(tmp_path).runs
    assert [state_of(reason_of(runs[n])) for n in (0, 1)] == ["oom", "failed"]


@lean_ray()
def monitored(folder: Path) -> dict[str, Any]:
    """A search on a Ray whose memory monitor kills whatever runs."""
    os.environ |= {"RAY_memory_usage_threshold": "0.01", "RAY_memory_monitor_refresh_ms": "50"}
    from fer_tune.tuning.options import SearchOptions
    from fer_tune.tuning.raytune.runtime import ray_connection
    from tests.tuning.raytune.test_autoscaler import SlowRun

    space = make_space(resources={"cpu": 1, "gpu": 0})
    with ray_connection(SearchOptions(cpus=1, dashboard=False)):
        results = play_runs(space, folder / "r", 1, SlowRun, asked=1, callbacks=[])
    trials = results.read("trials")
    return {"states": trials["state"].tolist(), "reasons": trials["stop_reason"].tolist()}


@pytest.mark.ray
@pytest.mark.slow
def test_rays_memory_monitor(tmp_path: Path) -> None:
    assert apart(monitored, tmp_path) == {"states": ["oom"], "reasons": ["oom"]}
