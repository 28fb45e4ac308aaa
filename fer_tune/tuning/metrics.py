"""What Prometheus can read of a running search, by way of Ray's own metrics.

Every node of a Ray cluster serves them on its metrics port, under these names with ``ray_`` before
them; ``cluster/grafana/fer_tune.json`` shows them. They are worked out from the log of events'
history, so a search that was taken up again tells of its earlier sittings too.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ray.tune.experiment import Trial
from ray.util import metrics

from fer_tune.records import ELIGIBLE
from fer_tune.tuning.assignment import Assignment
from fer_tune.tuning.callback import DriverCallback
from fer_tune.tuning.events import History
from fer_tune.tuning.recorder import reason_of, state_of
from fer_tune.tuning.run_history import RunHistory

#: Seconds between two readings; Ray exports what was set in the last ten seconds.
INTERVAL_S = 1.0
#: Seconds for which what is no longer there is told, as 0 or no number: long enough to be read.
#: Machines come and go, and their series should not stay for ever.
LINGER_S = 120.0
#: State of a run that Ray has started, and of one that waits for a place.
RUNNING, WAITING = "running", "waiting"


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A gauge: its name without Ray's prefix, what it means, its tags besides ``search``."""

    name: str
    meaning: str
    tags: tuple[str, ...]


TRIALS = Metric(
    name="fer_tune_trials",
    meaning="Trials by state; stage `search`, or `confirmation` for its runs",
    tags=("arm", "stage", "state"),
)
EPOCHS = Metric(
    name="fer_tune_epochs", meaning="Epochs reported, earlier sittings included", tags=("arm",)
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
    meaning="Share of feature files, 0 to 1, that were found ready in the bank",
    tags=("arm",),
)
MEMORY = Metric(
    name="fer_tune_peak_memory_bytes",
    meaning="Highest peak memory of the running trials: of the accelerator, else the process",
    tags=("arm", "node"),
)
#: Everything that is exported.
METRICS = (TRIALS, EPOCHS, IMAGES, BEST, HITS, MEMORY)

#: A gauge and the values of its tags in their order.
Place = tuple[Metric, tuple[str, ...]]


class Metrics(DriverCallback):
    """Sets the gauges as a stage goes on.

    Must stand behind the recorder, which brings ``history`` up to date.

    Args:
        search: the name that tells this search from others on the cluster.
        history: of all sittings.
    """

    def __init__(self, search: str, history: History) -> None:
        self._search, self._history = search, history
        self._gauges = {
            metric: metrics.Gauge(metric.name, metric.meaning, ("search", *metric.tags))
            for metric in METRICS
        }
        self._lingering = Lingering()
        self._last = -math.inf

    def on_step_end(self, trials: list[Trial], **info: Any) -> None:
        now = time.monotonic()
        if now - self._last >= INTERVAL_S:
            self._last = now
            self._tell(trials)

    def on_experiment_end(self, trials: list[Trial], **info: Any) -> None:
        self._tell(trials)

    def _tell(self, trials: list[Trial]) -> None:
        now = dict(readings(self._history.runs.values(), _going_on(trials)))
        # All of them every time: Ray drops a gauge that nobody sets again, though not at once.
        for (metric, tags), value in self._lingering.told(now, time.monotonic()).items():
            names = ("search", *metric.tags)
            self._gauges[metric].set(value, dict(zip(names, (self._search, *tags), strict=True)))


class Lingering:
    """Adds what has ended to what is, for :data:`LINGER_S`."""

    def __init__(self) -> None:
        self._seen: dict[Place, float] = {}  # when each was last there

    def told(self, now: dict[Place, float], at: float) -> dict[Place, float]:
        """``now``, the readings at ``at`` (seconds), with those that ended a while ago at most."""
        seen = {**self._seen, **dict.fromkeys(now, at)}
        self._seen = {place: last for place, last in seen.items() if at - last < LINGER_S}
        gone = {p: math.nan if p[0] == BEST else 0.0 for p in self._seen.keys() - now.keys()}
        return {**gone, **now}


def readings(
    runs: Iterable[RunHistory], going_on: Iterable[tuple[Assignment, str]]
) -> Iterator[tuple[Place, float]]:
    """The value of every gauge.

    Args:
        runs: all that is known of the search's runs.
        going_on: those that have not ended, as Ray has them, with :data:`RUNNING` or
            :data:`WAITING`.
    """
    runs, going_on = list(runs), list(going_on)
    now = {assignment.number: state for assignment, state in going_on}
    states = [(run.assignment, state_of(reason_of(run))) for run in runs if run.ended]
    for place, count in Counter((a.arm, _stage(a), s) for a, s in states + going_on).items():
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


def _of_machines(running: Iterable[RunHistory]) -> Iterator[tuple[Place, float]]:
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


def _going_on(trials: Iterable[Trial]) -> list[tuple[Assignment, str]]:
    return [
        (
            Assignment.from_dict(trial.config["run"]),
            RUNNING if trial.status == Trial.RUNNING else WAITING,
        )
        for trial in trials
        if trial.status not in (Trial.ERROR, Trial.TERMINATED)
    ]


def _stage(assignment: Assignment) -> str:
    return "confirmation" if assignment.cohort == "confirm" else "search"


def _counts(run: RunHistory, arm: str) -> bool:
    """Whether the run's best value is one of its arm's: a trial that may be chosen, or still may.

    One that ASHA stopped may not, so what is told can fall.
    """
    if run.assignment.arm != arm or run.assignment.cohort == "confirm":
        return False
    return (not run.ended and run.audited_at is None) or (
        run.ended and state_of(reason_of(run)) in ELIGIBLE
    )
