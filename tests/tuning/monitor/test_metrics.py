"""Metrics of a search for Prometheus, and the Grafana board that shows them."""

from __future__ import annotations

import itertools
import json
import math
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ray.util import metrics as ray_metrics

from fer_tune.escaping import TAG_LENGTH, metric_tag
from fer_tune.space import TrialConfig
from fer_tune.tuning.log.assignment import Assignment
from fer_tune.tuning.log.events import History
from fer_tune.tuning.log.run_history import RunHistory
from fer_tune.tuning.monitor.metrics import (
    BEST,
    IMAGES,
    LINGER_S,
    METRICS,
    RUNNING,
    WAITING,
    Lingering,
    Metrics,
    Series,
    labels,
    readings,
)

BOARD = Path(__file__).resolve().parents[3] / "cluster" / "grafana" / "fer_tune.json"
NAMES = {f"ray_{metric.name}" for metric in METRICS}


# -- what the gauges say ----------------------------------------------------------------------


def run(number: int, arm: str, *results: dict[str, Any], cohort: Any = "tpe", **ended: Any) -> Any:
    config = TrialConfig(backbone="resnet18", unfreeze_depth=1, crop_size=48, lr_head=1e-3)
    assignment = Assignment(
        number=number,
        arm=arm,
        replicate=0,
        cohort=cohort,
        seed=1,
        weights_seed=1,
        view_seed=1,
        config=config,
    )
    return RunHistory(assignment=assignment, planned=cohort, results=list(results), **ended)


def report(epoch: int, best: float | None, **more: Any) -> dict[str, Any]:
    return {
        "epoch": epoch,
        "ran": True,
        "best_val_macro_f1": best,
        "images_per_s": 50.0,
        "bank_hits": 1,
        "bank_misses": 1,
        "peak_memory_mib": 100.0,
        "node": "n1",
        **more,
    }


def exported(runs: list[RunHistory], active: dict[int, str]) -> dict[tuple[str, ...], float]:
    by_number = {run.assignment.number: run.assignment for run in runs}
    found = readings(runs, [(by_number[n], state) for n, state in active.items()])
    return {(metric.name, *tags): value for (metric, tags), value in found}


def test_every_state_is_counted_by_arm_and_stage() -> None:
    runs = [
        run(0, "a", report(1, 0.3, stop_reason="completed"), done=True),
        run(1, "a", report(1, 0.9), done=True),  # by ASHA
        run(2, "a", failed=True),
        run(3, "b", report(1, 0.2)),
        run(4, "b"),
        run(5, "a", report(1, 0.99), cohort="confirm"),
    ]
    counts = {
        tags[1:]: value
        for tags, value in exported(runs, {3: RUNNING, 4: WAITING, 5: RUNNING}).items()
        if tags[0] == "fer_tune_trials"
    }
    assert counts == {
        ("a", "search", "complete"): 1,
        ("a", "search", "pruned"): 1,
        ("a", "search", "failed"): 1,
        ("b", "search", "running"): 1,
        ("b", "search", "waiting"): 1,
        ("a", "confirmation", "running"): 1,
    }


def test_the_best_is_of_trials_that_may_be_chosen() -> None:
    runs = [
        run(0, "a", report(1, 0.3, stop_reason="overfit"), done=True),
        run(1, "a", report(1, 0.9), done=True),  # ASHA's
        run(2, "a", report(1, 0.8), audited_at=1),
        run(3, "a", report(1, 0.99), cohort="confirm"),
        run(4, "a", report(1, None)),  # no epoch was finite
        run(5, "b", report(1, 0.5)),
        run(6, "c", report(1, 0.7), failed=True),
    ]
    found = exported(runs, {})
    assert found["fer_tune_best_val_macro_f1", "a"] == 0.3
    assert found["fer_tune_best_val_macro_f1", "b"] == 0.5
    assert ("fer_tune_best_val_macro_f1", "c") not in found


def test_epochs_and_bank_are_of_all_speed_and_memory_of_what_runs() -> None:
    runs = [
        run(0, "a", report(1, 0.1), report(2, 0.2, bank_hits=2, bank_misses=0)),
        run(1, "a", report(1, 0.1, peak_memory_mib=300.0)),
        run(2, "a", report(1, 0.1, node="n2")),
        run(3, "a", report(1, 0.1, stop_reason="completed"), done=True),
        run(4, "b", report(1, 0.1, bank_hits=0, bank_misses=0)),
        run(5, "b", {"epoch": 0, "ran": False, "stop_reason": "oom"}, done=True),
    ]
    found = exported(runs, {0: RUNNING, 1: RUNNING, 2: RUNNING, 4: WAITING})
    assert found["fer_tune_epochs", "a"] == 5 and found["fer_tune_epochs", "b"] == 1
    assert found["fer_tune_bank_hit_ratio", "a"] == 6 / 10
    assert ("fer_tune_bank_hit_ratio", "b") not in found  # nobody asked it
    assert found["fer_tune_images_per_second", "a", "n1"] == 100.0
    assert found["fer_tune_images_per_second", "a", "n2"] == 50.0
    assert found["fer_tune_peak_memory_bytes", "a", "n1"] == 300 * 2**20
    assert not [tags for tags in found if "images" in tags[0] and "b" in tags]


def test_ended_series_are_exported_for_a_while() -> None:
    """Machines come and go: their series would grow for ever."""
    lingering = Lingering()
    there: dict[Series, float] = {(IMAGES, ("a", "n1")): 50.0, (BEST, ("a",)): 0.3}
    assert lingering.with_ended(there, 0.0) == there
    found = lingering.with_ended({}, LINGER_S - 1)
    assert found[IMAGES, ("a", "n1")] == 0.0 and math.isnan(found[BEST, ("a",)])
    assert lingering.with_ended({}, LINGER_S) == {}
    assert lingering.with_ended(there, LINGER_S + 1) == there, "it has come back"


# -- names ------------------------------------------------------------------------------------

#: What folders, arms and machines may be called.
ODD_NAMES = (
    "größe",
    "surprise 😀",
    "ערבית",
    "日本",
    "\u202etest",
    os.fsdecode(b"caf\xe9"),
    "\ud800",
    "\x1b[2J",
    "two\nlines",
    "\x00",
    'a"b\\c',
    "100%",
    "%empty",
    "",
    "x" * 5000,
    "x" * 5000 + "y",
)


def test_gauges_take_every_name() -> None:
    gauge = ray_metrics.Gauge("fer_tune_names", "a test", ("search", *IMAGES.tags))
    for name in ODD_NAMES:
        tags = labels(IMAGES, name, (name, name))
        gauge.set(1.0, tags)
        assert set(tags) == {"search", "arm", "node"}
        for tag in tags.values():
            assert 0 < len(tag) <= TAG_LENGTH and tag.isascii() and tag.isprintable()
    tags = [metric_tag(name) for name in ODD_NAMES]
    assert len(set(tags)) == len(tags), "two searches would become one"
    assert metric_tag("resnet50-2026.a_b c") == "resnet50-2026.a_b c"


def test_a_search_in_a_folder_of_any_name_has_metrics(caplog: pytest.LogCaptureFixture) -> None:
    for name in ODD_NAMES:
        history = History(identity={})
        history.runs[0] = run(0, name, report(1, 0.3), done=True)
        Metrics(name, history).on_experiment_end([])
    assert not caplog.records


def test_metrics_that_fail_are_logged_once_and_end_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    history = History(identity={})
    history.runs[0] = run(0, "a", report(1, 0.3), done=True)
    shown = Metrics("search", history)
    monkeypatch.setattr(
        "fer_tune.tuning.monitor.metrics.metric_tag", lambda text: "größe"
    )  # Ray refuses
    for _ in range(3):
        shown.on_experiment_end([])
    (record,) = caplog.records
    assert "metrics are off" in record.getMessage() and "UnicodeEncodeError" in record.getMessage()

    caplog.clear()
    monkeypatch.setattr("fer_tune.tuning.monitor.metrics.METRICS", (replace(BEST, tags=(b"arm",)),))
    Metrics("search", history).on_experiment_end([])
    (record,) = caplog.records
    assert "TypeError" in record.getMessage()


# -- the board --------------------------------------------------------------------------------


def board() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(BOARD.read_text())
    return loaded


def queries() -> list[str]:
    return [target["expr"] for panel in board()["panels"] for target in panel["targets"]]


def test_the_board_shows_what_is_exported_and_nothing_else() -> None:
    asked = {name for expr in queries() for name in re.findall(r"\bray_\w+", expr)}
    assert asked == NAMES
    variables = {v["name"]: v for v in board()["templating"]["list"]}
    assert set(re.findall(r"\bray_\w+", variables["search"]["definition"])) <= NAMES


def test_the_board_asks_for_tags_that_there_are() -> None:
    tags = {f"ray_{metric.name}": {"search", *metric.tags} for metric in METRICS}
    for expr in queries():
        (name,) = set(re.findall(r"\bray_\w+", expr))
        grouped = re.findall(r"by \(([^)]*)\)", expr)
        asked = {tag.strip() for group in grouped for tag in group.split(",")}
        asked |= set(re.findall(r'(\w+)(?:=~|!~|!=|=)"', expr))
        assert asked <= tags[name], expr


def test_the_board_is_laid_out_for_grafana_10() -> None:
    loaded = board()
    assert loaded["schemaVersion"] >= 38
    panels = loaded["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        place = panel["gridPos"]
        assert place["w"] > 0 and place["h"] > 0 and 0 <= place["x"] <= 24 - place["w"]
        assert panel["title"] and panel["description"]
        for sourced in (panel, *panel["targets"]):
            assert sourced["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    for one, other in itertools.combinations([panel["gridPos"] for panel in panels], 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or above, (one, other)
    kinds = {v["name"]: v["type"] for v in loaded["templating"]["list"]}
    assert kinds == {"datasource": "datasource", "search": "query"}
