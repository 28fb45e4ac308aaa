"""A results folder at one moment, and whether two of them are equal."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from fer_tune.errors import ResultsError
from fer_tune.records import KEYS, SCHEMAS, Results
from fer_tune.space import SearchSpace
from fer_tune.tuning.log.events import EVENTS_FILE, History
from fer_tune.tuning.raytune.checkpoints import Checkpoints
from fer_tune.tuning.studies.asha import StudyAsha

#: Columns that depend on the machine and the moment.
TIMES = ("started", "setup_seconds", "seconds", "accelerator_seconds", "cpu_seconds")
TIMES += (
    "peak_memory_mib",
    "peak_reserved_mib",
    "images_per_s",
    "bank_hits",
    "bank_misses",
    "node",
    "replayed_epochs",
)
#: Keys of report.json that do.
REPORT_TIMES = {"command", "started", "ended", "wall_seconds", "startup_seconds", "cost", "latency"}
REPORT_TIMES |= {"accelerator_hours", "cpu_hours", "saved_hours", "spending"}


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A search at one moment.

    Attributes:
        logged, saved: per run that has not ended: epochs in the log, and in its newest checkpoint.
        over: runs whose last checkpoint says that they have ended, though the log does not yet.
        rungs: per study and epoch, the value of every trial that reached it.
    """

    phase: str
    asked: int
    ended: int
    logged: dict[int, int]
    saved: dict[int, int]
    over: set[int]
    rungs: dict[str, dict[int, dict[int, float]]]

    @property
    def entries(self) -> int:
        return sum(len(rung) for rungs in self.rungs.values() for rung in rungs.values())

    def holds(self, earlier: Snapshot) -> bool:
        """Whether nothing that ``earlier`` held in its rungs is missing or another here."""
        return all(
            self.rungs.get(study, {}).get(epoch, {}).get(number) == value
            for study, rungs in earlier.rungs.items()
            for epoch, values in rungs.items()
            for number, value in values.items()
        )


NOTHING = Snapshot(phase="start-up", asked=0, ended=0, logged={}, saved={}, over=set(), rungs={})


def snapshot(folder: Path) -> Snapshot:
    """Reads the log and the checkpoints of a search, whatever state it is in."""
    if not (folder / EVENTS_FILE).exists():
        return NOTHING
    history = History.read(folder)
    running = {number: run for number, run in history.runs.items() if not run.ended}
    newest = {n: next(Checkpoints(folder, n).newest_first(), None) for n in running}
    results = {n: {} if point is None else point.result for n, point in newest.items()}
    return Snapshot(
        phase=_phase(folder, history),
        asked=len(history.runs),
        ended=len(history.runs) - len(running),
        logged={number: run.epochs for number, run in running.items()},
        saved={number: int(result.get("epoch", 0)) for number, result in results.items()},
        over={number for number, result in results.items() if result.get("stop_reason")},
        rungs=rungs_of(history),
    )


def rungs_of(history: History) -> dict[str, dict[int, dict[int, float]]]:
    """The rungs as a resume rebuilds them."""
    space = SearchSpace.from_dict(history.space)
    asha = StudyAsha(
        max_epochs=space.budget.max_epochs,
        grace_epochs=space.scheduler.grace_epochs,
        reduction_factor=space.scheduler.reduction_factor,
    )
    asha.replay(history.trials)
    return asha.rungs()


def _phase(folder: Path, history: History) -> str:
    with suppress(ResultsError):
        if Results(folder).manifest()["state"] == "finished":
            return "report"
    return "confirmation" if history.searched else "trials"


def differences(one: Results, other: Results) -> dict[str, str]:
    """What of two searches that should be equal is not: the part and its first difference."""
    found = {}
    for table in SCHEMAS:
        frames = [_timeless(results, table) for results in (one, other)]
        try:
            pd.testing.assert_frame_equal(*frames, check_exact=True)
        except AssertionError as error:
            found[table] = " ".join(str(error).split())[:300]
    manifests = [results.manifest() for results in (one, other)]
    for key in ("choices", "confirm_seeds", "arms", "splits", "seeds", "state"):
        if manifests[0][key] != manifests[1][key]:
            found[key] = f"{manifests[0][key]} and {manifests[1][key]}"[:300]
    rungs = [rungs_of(History.read(results.root)) for results in (one, other)]
    if rungs[0] != rungs[1]:
        found["rungs"] = f"{rungs[0]} and {rungs[1]}"[:300]
    reports = [timeless_report(results) for results in (one, other)]
    if changed := sorted(k for k in reports[0] if reports[0][k] != reports[1].get(k)):
        found["report.json"] = f"under {', '.join(changed)}"
    return found


def _timeless(results: Results, table: Any) -> pd.DataFrame:
    frame = results.read(table).drop(columns=list(TIMES), errors="ignore")
    if "probabilities" in frame:
        frame["probabilities"] = frame["probabilities"].map(list)
    return frame.sort_values(KEYS[table], kind="stable").reset_index(drop=True)


def timeless_report(results: Results) -> dict[str, Any]:
    """The numbers of a search's report without what depends on the machine and the moment."""
    report: dict[str, Any] = _without_times(
        json.loads((results.root / "report" / "report.json").read_text())
    )
    # The later of two searches on one test split reads it after the other.
    reuse = [check for check in report["validity"] if check["id"] == "reuse"]
    report["validity"] = [check for check in report["validity"] if check not in reuse]
    verdict, details = report["verdict"], [check["detail"] for check in reuse]
    verdict["cautions"] = [one for one in verdict["cautions"] if one not in details]
    return report


def _without_times(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_times(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "columns" in value and "rows" in value:
        kept = [k for k, c in enumerate(value["columns"]) if c["name"] not in TIMES]
        value = {**value, "rows": [[row[k] for k in kept] for row in value["rows"]]}
    return {key: _without_times(item) for key, item in value.items() if key not in REPORT_TIMES}
