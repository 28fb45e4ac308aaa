"""A search that saves no epoch before it must is killed, and ends like one that was not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.killing.snapshots import differences, snapshot
from fer_tune.records import Results
from fer_tune.tuning.log.events import EVENTS_FILE, History
from tests.integration.bench import Bench

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.kills, pytest.mark.timeout(900)]

SPACE = """
name: recorded
purpose: Recorded curves.
compare: {arms: [densenet121, resnet18]}
parameters:
  unfreeze_depth: {type: int, low: 0, high: 5}
  crop_size: 32
  lr_head: {type: float, low: 1e-4, high: 1e-2, log: true}
budget: {trials: 6, max_epochs: 5}
scheduler: {kind: asha, grace_epochs: 1, reduction_factor: 3}
stopper: {patience: 1}
resources: {cpu: 1, max_concurrent: 1}
weights: none
precision: float32
confirm: {seeds: 2}
"""
#: Long enough for a trial to be found at work on a busy machine; far below the interval.
EPOCH_S = 0.4


def midway(history: History, trial: int) -> bool:
    run = history.runs.get(trial)
    return run is not None and run.epochs >= 3 and not run.ended


def test_deaths_cost_time_alone(tmp_path: Path) -> None:
    bench = Bench(tmp_path, SPACE)
    undisturbed = bench.undisturbed()
    confirming = [n for n, r in History.read(undisturbed.root).runs.items() if n >= 6]
    whole = [
        number
        for number, run in History.read(undisturbed.root).runs.items()
        if number < 6 and run.epochs == 5
    ]
    folder = tmp_path / "killed"
    with bench.searching(folder, seconds=EPOCH_S) as process:
        process.until(lambda h: midway(h, whole[0]))
        assert snapshot(folder).saved[whole[0]] == 0, "the interval is a minute"
        assert len(process.kill_trial()) == 1
        process.until(lambda h: midway(h, whole[1]))
        process.kill_all()
    with bench.resuming(folder, seconds=EPOCH_S) as process:
        process.until(lambda h: midway(h, confirming[0]))
        process.interrupt()
        assert process.ended() == 130, process.text
    met = snapshot(folder)
    assert all(met.saved[n] >= epochs for n, epochs in met.logged.items()), "saved at Ctrl-C"
    done = bench.here("resume", folder)
    assert done.code == 0, done

    results = Results(folder)
    assert differences(undisturbed, results) == {}
    replayed = results.read("trials").set_index("trial")["replayed_epochs"]
    assert replayed[whole[0]] >= 3 and replayed[whole[1]] >= 3
    assert replayed[confirming].tolist() == [0] * len(confirming)
    events = [json.loads(line) for line in (folder / EVENTS_FILE).read_bytes().splitlines()]
    again = [event for event in events if event.get("kind") == "replayed"]
    assert len(again) == replayed.sum() and all(event["equal"] for event in again)
    epochs = [(e["trial"], e["result"]["epoch"]) for e in events if e.get("kind") == "epoch"]
    assert len(epochs) == len(set(epochs)), "no epoch is reported twice"
    assert not any((folder / "checkpoints").iterdir())
