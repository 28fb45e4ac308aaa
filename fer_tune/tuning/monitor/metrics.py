"""Prometheus metrics of a running search, exported through Ray.

Every node of a Ray cluster serves them on its metrics port, under these names with the prefix
``ray_``; ``cluster/grafana/fer_tune.json`` shows them. They are computed from the event log's
history, so those of a resumed search cover its earlier sessions.
"""

from __future__ import annotations

import logging
import math
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ray.tune.experiment import Trial
from ray.util import metrics

from fer_tune.escaping import metric_tag
from fer_tune.records import ELIGIBLE
from fer_tune.tuning.log.assignment import Assignment
from fer_tune.tuning.log.events import History
from fer_tune.tuning.log.run_history import RunHistory
from fer_tune.tuning.monitor.recorder import reason_of, state_of
from fer_tune.tuning.raytune.callback import DriverCallback

logger = logging.getLogger(__name__)

#: Seconds between two updates; Ray exports what was set in the last ten seconds.
INTERVAL_S = 1.0
#: Seconds for which an ended series is still exported, as 0 or NaN: long enough to be scraped.
#: Machines come and go, and their series should not be exported forever.
LINGER_S = 120.0
#: State of a run that Ray has started, and of one that waits for a slot.
RUNNING, WAITING = "running", "waiting"


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A gauge: its name without Ray's prefix, its description, and its tags besides ``search``."""

    name: str
    meaning: str
    tags: tuple[str, ...]


TRIALS = Metric(
    name="fer_tune_trials",
    meaning="Trials by state; stage `search`, or `confirmation` for its runs",
    tags=("arm", "stage", "state"),
)
EPOCHS = Metric(
    name="fer_tune_epochs", meaning="Epochs reported, earlier sessions included", tags=("arm",)
)
IMAGES = Metric(
    name="fer_tune_images_per_second",
    meaning="Training pictures per second in the last epochs of the running trials, summed",
    tags=("arm", "node"),
)
BEST = Metric(
    name="fer_tune_best_val_macro_f1",
    meaning="Best validation macro-F1 so far, 0 to 1, of trials that may be chosen",
    tags=("arm",),
)
HITS = Metric(
    name="fer_tune_bank_hit_ratio",
    meaning="Share of feature files, 0 to 1, that were already in the bank",
    tags=("arm",),
)
MEMORY = Metric(
    name="fer_tune_peak_memory_bytes",
    meaning="Highest peak memory of the running trials: of the accelerator, else of the process",
    tags=("arm", "node"),
)
#: Everything that is exported.
METRICS = (TRIALS, EPOCHS, IMAGES, BEST, HITS, MEMORY)

#: A time series: a gauge and the values of its tags, in their order.
Series = tuple[Metric, tuple[str, ...]]


class Metrics(DriverCallback):
    """Updates the gauges while a phase runs.

    Must come after the recorder, which updates ``history``. Metrics never end a search: the first
    error of Ray's gauges is logged, and metrics are off from then on.

    Args:
        search: the name that distinguishes this search from others on the cluster.
        history: of all sessions.
    """

    def __init__(self, search: str, history: History) -> None:
        self._search, self._history = search, history
        self._gauges: dict[Metric, metrics.Gauge] = {}
        self._off = False
        with self._switched_off_by_errors():
            for metric in METRICS:
                tags = ("search", *metric.tags)
                self._gauges[metric] = metrics.Gauge(metric.name, metric.meaning, tags)
        self._lingering = Lingering()
        self._last = -math.inf

    def on_step_end(self, trials: list[Trial], **info: Any) -> None:
        now = time.monotonic()
        if now - self._last >= INTERVAL_S:
            self._last = now
            self._export(trials)

    def on_experiment_end(self, trials: list[Trial], **info: Any) -> None:
        self._export(trials)

    def _export(self, trials: list[Trial]) -> None:
        if self._off:
            return
        with self._switched_off_by_errors():
            now = dict(readings(self._history.runs.values(), _active(trials)))
            # All of them every time: Ray eventually drops a gauge that is not set again.
            for (metric, tags), value in self._lingering.with_ended(now, time.monotonic()).items():
                self._gauges[metric].set(value, labels(metric, self._search, tags))

    @contextmanager
    def _switched_off_by_errors(self) -> Iterator[None]:
        try:
            yield
        # Ray documents no errors of its gauges, and no reading is worth a search.
        except Exception as error:
            self._off = True
            logger.warning("metrics are off for the rest of this session: %r", error)


def labels(metric: Metric, search: str, tags: tuple[str, ...]) -> dict[str, str]:
    """The tags of a reading by their names, as Ray takes them."""
    values = (metric_tag(value) for value in (search, *tags))
    return dict(zip(("search", *metric.tags), values, strict=True))


class Lingering:
    """Adds series that have ended, for :data:`LINGER_S`."""

    def __init__(self) -> None:
        self._seen: dict[Series, float] = {}  # when each was last current

    def with_ended(self, now: dict[Series, float], at: float) -> dict[Series, float]:
        """``now``, the readings at ``at`` (seconds), and the series that ended recently."""
        seen = {**self._seen, **dict.fromkeys(now, at)}
        self._seen = {place: last for place, last in seen.items() if at - last < LINGER_S}
        gone = {p: math.nan if p[0] == BEST else 0.0 for p in self._seen.keys() - now.keys()}
        return {**gone, **now}


def readings(
    runs: Iterable[RunHistory], active: Iterable[tuple[Assignment, str]]
) -> Iterator[tuple[Series, float]]:
    """The value of every gauge.

    Args:
        runs: all runs of the search.
        active: those that have not ended, as Ray knows them, with :data:`RUNNING` or
            :data:`WAITING`.
    """
    runs, active = list(runs), list(active)
    now = {assignment.number: state for assignment, state in active}
    states = [(run.assignment, state_of(reason_of(run))) for run in runs if run.ended]
    for place, count in Counter((a.arm, _stage_tag(a), s) for a, s in states + active).items():
        yield (TRIALS, place), float(count)

    arms = sorted({run.assignment.arm for run in runs})
    for arm in arms:
        results = [r for run in runs if run.assignment.arm == arm for r in run.results if r["ran"]]
        yield (EPOCHS, (arm,)), float(len(results))
        hits, misses = (
            sum(r.get(name) or 0 for r in results) for name in ("bank_hits", "bank_misses")
        )
        if hits + misses:
            yield (HITS, (arm,)), hits / (hits + misses)
        values = [run.last.get("best_val_macro_f1") for run in runs if _counts(run, arm)]
        if best := [value for value in values if value is not None]:
            yield (BEST, (arm,)), float(max(best))

    yield from _of_machines([run for run in runs if now.get(run.assignment.number) == RUNNING])


def _of_machines(running: Iterable[RunHistory]) -> Iterator[tuple[Series, float]]:
    """Speed and memory, by arm and node."""
    speed: dict[tuple[str, str], float] = {}
    memory: dict[tuple[str, str], float] = {}
    for run in running:
        last = run.last
        if last.get("ran"):
            place = run.assignment.arm, str(last.get("node") or "unknown")
            speed[place] = speed.get(place, 0.0) + float(last["images_per_s"])
            peak = float(last.get("peak_memory_mib") or 0.0) * 2**20
            memory[place] = max(memory.get(place, 0.0), peak)
    for place in speed:
        yield (IMAGES, place), speed[place]
        yield (MEMORY, place), memory[place]


def _active(trials: Iterable[Trial]) -> list[tuple[Assignment, str]]:
    return [
        (
            Assignment.from_dict(trial.config["run"]),
            RUNNING if trial.status == Trial.RUNNING else WAITING,
        )
        for trial in trials
        if trial.status not in (Trial.ERROR, Trial.TERMINATED)
    ]


def _stage_tag(assignment: Assignment) -> str:
    return "confirmation" if assignment.cohort == "confirm" else "search"


def _counts(run: RunHistory, arm: str) -> bool:
    """Whether the run's best value is one of its arm's: a trial that may be chosen, or still may.

    One that ASHA stopped may not, so the exported value can fall.
    """
    if run.assignment.arm != arm or run.assignment.cohort == "confirm":
        return False
    return (not run.ended and run.audited_at is None) or (
        run.ended and state_of(reason_of(run)) in ELIGIBLE
    )
