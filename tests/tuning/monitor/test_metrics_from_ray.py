"""Metrics of a search, read back from Ray and from Prometheus."""

from __future__ import annotations

import functools
import json
import math
import os
import shutil
import socket
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fer_tune.records import Results
from fer_tune.training.learning_curve import EpochReport
from fer_tune.tuning.log.assignment import Assignment
from fer_tune.tuning.log.events import History
from fer_tune.tuning.monitor.metrics import (
    Metrics,
)
from fer_tune.tuning.raytune.replay import Recording, ReplayedRun
from tests.tuning.apart import apart
from tests.tuning.conftest import make_space
from tests.tuning.monitor.test_metrics import NAMES, queries

#: The results folder of the search that Ray serves, and its tag.
SEARCH, TAG = "größe-1", "gr%C3%B6%C3%9Fe-1"


class MeasuredRun(ReplayedRun):
    """A recording with the numbers that only training has."""

    def run_epoch(self) -> EpochReport | None:
        plain = super().run_epoch()
        assert plain is not None
        numbers = {"images_per_s": 40.0, "bank_hits": 1, "bank_misses": 1, "peak_memory_mib": 64.0}
        measured = replace(plain, **numbers)
        self.curve.reports[-1] = measured
        return measured


def slow(run: Assignment) -> Recording:
    values = [0.1 * epoch + 0.01 * (run.arm == "resnet152") for epoch in range(1, 6)]
    return Recording(values=values, seconds=0.7)


@contextmanager
def prometheus(scraped: str, folder: Path) -> Iterator[str | None]:
    """A Prometheus that reads ``scraped``, if there is one on this machine; its address."""
    program = shutil.which("prometheus")
    if program is None:
        yield None
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    (folder / "prometheus.yml").write_text(
        "global: {scrape_interval: 2s}\n"
        "scrape_configs:\n"
        f"- {{job_name: ray, static_configs: [{{targets: ['{scraped}']}}]}}\n"
    )
    with (folder / "prometheus.txt").open("w") as out:
        process = subprocess.Popen(
            [
                program,
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'tsdb'}",
                f"--web.listen-address={address}",
            ],
            stdout=out,
            stderr=out,
        )
        try:
            await_ready(address)
            yield address
        finally:
            process.terminate()
            process.wait(30)


def await_ready(address: str, within_s: float = 30.0) -> None:
    deadline = time.monotonic() + within_s
    while True:
        try:
            page(f"http://{address}/-/ready")
            return
        except OSError:
            assert time.monotonic() < deadline, "Prometheus did not come up"
            time.sleep(0.2)


def searched(folder: Path) -> dict[str, Any]:
    """A small recorded search: every value that Ray's endpoint showed, and Prometheus answered."""
    os.environ |= {"RAY_AUTH_MODE": "disabled", "RAY_metrics_report_interval_ms": "500"}
    import ray
    from rich.console import Console

    from fer_tune.tuning.log.events import EventLog
    from fer_tune.tuning.monitor.recorder import Recorder
    from fer_tune.tuning.options import SearchOptions
    from fer_tune.tuning.raytune.interruption import Interruption
    from fer_tune.tuning.raytune.replay import replay_settings
    from fer_tune.tuning.raytune.runtime import ray_connection
    from fer_tune.tuning.raytune.tune_runner import run_phase
    from fer_tune.tuning.studies.asha import StudyAsha
    from fer_tune.tuning.studies.searcher import StudySearcher

    space = make_space(budget={"trials": 6, "max_epochs": 5})
    results = Results(folder / SEARCH)
    results.root.mkdir()
    log = EventLog.begin(results.root, {"space": space.as_dict()})
    history = History.read(results.root)
    console = Console(quiet=True)
    seen: dict[str, set[float]] = {}
    answers: dict[str, list[float]] = {}
    over = threading.Event()
    with ray_connection(SearchOptions(cpus=2, dashboard=False)):
        node = ray.nodes()[0]
        endpoint = f"{node['NodeManagerAddress']}:{node['MetricsExportPort']}"

        def watch(address: str | None) -> None:
            while not over.wait(0.5):
                for line in page(f"http://{endpoint}/metrics").splitlines():
                    if line.startswith("ray_fer_tune"):
                        series, _, value = line.rpartition(" ")
                        seen.setdefault(series, set()).add(float(value))
                for query in queries() if address else ():
                    answers.setdefault(query, []).extend(answer(address, query))

        with prometheus(endpoint, folder) as address:
            watcher = threading.Thread(target=watch, args=(address,))
            watcher.start()
            try:
                run_phase(
                    space,
                    replay_settings(space, results.root),
                    name="search",
                    asked=4,
                    callbacks=[
                        Recorder(results, log, history, classes=("x", "y"), gpu=0.0, cpu=1.0),
                        Metrics(results.root.name, history),
                    ],
                    interruption=Interruption(console),
                    scheduler=StudyAsha(max_epochs=5, grace_epochs=2, reduction_factor=3),
                    searcher=StudySearcher(space, log),
                    make_run=functools.partial(MeasuredRun, slow),
                )
                time.sleep(3)  # an export after the end
            finally:
                over.set()
                watcher.join()
    return {"seen": seen, "answers": answers, "states": states(results)}


def page(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as found:
        return str(found.read().decode())


def answer(address: str, expr: str) -> list[float]:
    """What Prometheus answers to a query of the board, as Grafana would ask it."""
    query = urllib.parse.urlencode({"query": expr.replace("$search", TAG)})
    found = json.loads(page(f"http://{address}/api/v1/query?{query}"))
    assert found["status"] == "success", found
    return [float(series["value"][1]) for series in found["data"]["result"]]


def states(results: Results) -> dict[tuple[str, str], int]:
    counted: dict[tuple[str, str], int] = (
        results.read("trials").value_counts(["arm", "state"]).to_dict()
    )
    return counted


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return apart(searched, tmp_path_factory.mktemp("metrics"))


def series(shown: Any, name: str, **tags: str) -> list[set[float]]:
    wanted = [f'{tag}="{value}"' for tag, value in {"search": TAG, **tags}.items()]
    return [
        values
        for labels, values in shown["seen"].items()
        if labels.startswith(f"ray_{name}{{") and all(w in labels for w in wanted)
    ]


@pytest.mark.ray
@pytest.mark.slow
def test_ray_serves_every_metric_of_a_search_with_its_values(shown: Any) -> None:
    assert {labels.partition("{")[0] for labels in shown["seen"]} == NAMES
    node = socket.gethostname()
    for arm, best in (("densenet161", 0.5), ("resnet152", 0.51)):
        (f1,) = series(shown, "fer_tune_best_val_macro_f1", arm=arm)
        assert max(f1) == pytest.approx(best)
        (rate,) = series(shown, "fer_tune_bank_hit_ratio", arm=arm)
        assert rate == {0.5}
        (speed,) = series(shown, "fer_tune_images_per_second", arm=arm, node=node)
        assert 40.0 in speed and 0.0 in speed, "exported while it ran, and not afterwards"
        (memory,) = series(shown, "fer_tune_peak_memory_bytes", arm=arm, node=node)
        assert 64.0 * 2**20 in memory
        (epochs,) = series(shown, "fer_tune_epochs", arm=arm)
        assert 5 <= max(epochs) <= 15
        (running,) = series(shown, "fer_tune_trials", arm=arm, state="running")
        assert max(running) >= 1 and min(running) == 0
    for (arm, state), count in shown["states"].items():
        (counted,) = series(shown, "fer_tune_trials", arm=arm, state=state, stage="search")
        assert max(counted) == count


@pytest.mark.ray
@pytest.mark.slow
def test_prometheus_answers_every_query_of_the_board(shown: Any) -> None:
    if shutil.which("prometheus") is None:
        pytest.skip("no prometheus on this machine")
    assert set(shown["answers"]) == set(queries())
    empty = [q for q, values in shown["answers"].items() if not any(map(math.isfinite, values))]
    assert not empty
