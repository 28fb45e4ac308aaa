"""Whether a latency was measured beside other runs is recorded with it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fer_tune.records import Results
from fer_tune.tuning.log.assignment import Assignment
from fer_tune.tuning.log.events import EventLog, History
from fer_tune.tuning.monitor.final_records import write_latency
from fer_tune.tuning.monitor.recorder import Recorder
from tests.tuning.conftest import make_space

MEASURED = {"p50_ms": 10.0, "p95_ms": 12.0, "peak_memory_mib": 300.0}


def trial(number: int, status: str = "RUNNING", arm: str = "resnet152") -> Any:
    run = Assignment(
        number=number,
        arm=arm,
        replicate=0,
        cohort="confirm",
        seed=number,
        weights_seed=0,
        view_seed=0,
        config=make_space().config(arm, {}),
    )
    return SimpleNamespace(config={"run": run.as_dict()}, status=status)


def report(node: str, epoch: int = 1, **changes: Any) -> dict[str, Any]:
    figures = dict.fromkeys(("train_loss", "val_loss", "val_macro_f1", "epoch_seconds"), 0.5)
    where = {"node": node, "node_id": f"id of {node}"}
    return {"epoch": epoch, "epochs": epoch, "ran": True, **figures, **where, **changes}


class Driver:
    """A recorder with the trials that Ray would pass to it."""

    def __init__(self, folder: Path, *trials: Any) -> None:
        self.results, self.trials = Results(folder), trials
        log = EventLog.begin(folder, {"space": {"budget": {}}})
        self.history = History(identity={})
        self._recorder = Recorder(
            self.results, log, self.history, classes=("x", "y"), gpu=0.0, cpu=1.0
        )

    def result(self, of: Any, result: dict[str, Any]) -> None:
        self._recorder.on_trial_result(trial=of, result=result, trials=self.trials, iteration=1)

    def measured(self, of: Any) -> Any:
        return self.history.runs[of.config["run"]["number"]].last["latency"]


@pytest.mark.parametrize(
    ("status", "node", "others"),
    [
        ("RUNNING", "here", 1),
        ("RUNNING", "there", 0),
        ("RUNNING", None, 1),  # it has not reported yet, so it may be here
        ("PENDING", "here", 0),
        ("TERMINATED", "here", 0),
        ("ERROR", "here", 0),
    ],
)
def test_other_runs_on_the_same_machine_are_counted(
    tmp_path: Path, status: str, node: str | None, others: int
) -> None:
    mine, other = trial(0), trial(1, status)
    driver = Driver(tmp_path, mine, other)
    if node is not None:
        driver.result(other, report(node))
    driver.result(mine, report("here", latency=MEASURED))
    assert driver.measured(mine) == {**MEASURED, "others": others}
    logged = json.loads((tmp_path / "events.jsonl").read_text().splitlines()[-1])
    assert logged["result"]["latency"]["others"] == others


def test_nothing_is_known_of_a_report_that_is_repeated_by_another_process(tmp_path: Path) -> None:
    mine = trial(0)
    driver = Driver(tmp_path, mine, trial(1))
    driver.result(mine, report("here", latency=MEASURED, node_id=None))
    assert driver.measured(mine) == MEASURED


def test_medians_leave_the_mark_out_and_older_runs_have_none(tmp_path: Path) -> None:
    first, second, third = trial(0), trial(1), trial(2, arm="densenet161")
    driver = Driver(tmp_path, first, second, third)
    driver.result(first, report("here", latency=MEASURED))
    slower = {**MEASURED, "p50_ms": 20.0}
    driver.result(second, report("there", latency=slower))
    driver.result(third, report("here", latency=MEASURED, node_id=None))
    write_latency(driver.results, driver.history.runs.values())
    found = json.loads((tmp_path / "latency.json").read_text())
    assert found["resnet152"] == {
        **MEASURED,
        "p50_ms": 15.0,
        "runs": [{**MEASURED, "others": 2}, {**slower, "others": 1}],
    }
    assert found["densenet161"] == {**MEASURED, "runs": [MEASURED]}
