"""The live table of a search on a terminal; a plain line per epoch elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ray.tune.experiment import Trial
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table

from fer_tune.console import cells, say, styled
from fer_tune.records import Results
from fer_tune.tuning.log.assignment import Assignment
from fer_tune.tuning.log.events import History
from fer_tune.tuning.log.run_history import RunHistory
from fer_tune.tuning.monitor.recorder import error_file, reason_of, state_of
from fer_tune.tuning.monitor.store_watch import StoreWatch, unavailable_line
from fer_tune.tuning.raytune.callback import DriverCallback
from fer_tune.tuning.raytune.failures import failure_of

_COLOURS = {
    "running": "cyan",
    "complete": "green",
    "overfit": "yellow",
    "pruned": "bright_black",
    "audited": "bright_black",
    "diverged": "red",
    "oom": "red",
    "failed": "red",
}
#: States of a trial that has not ended; ``audited``: ASHA would have stopped it.
_ACTIVE = ("running", "audited")
#: Rows of the live table; the oldest ended trials are dropped first.
_ROWS = 24


@dataclass
class Row:
    """What the table shows of one trial."""

    assignment: Assignment
    epoch: int = 0
    value: float | None = None
    best: float | None = None
    state: str = "running"

    def shown(self) -> list[str]:
        config = self.assignment.config
        return [
            str(self.assignment.number),
            self.assignment.arm,
            self.assignment.cohort,
            str(config.unfreeze_depth),
            str(config.crop_size),
            f"{config.lr_head:.1e}",
            str(self.epoch),
            "–" if self.value is None else f"{self.value:.3f}",
            "–" if self.best is None else f"{self.best:.3f}",
            self.state,
        ]


def _row_of(run: RunHistory) -> Row:
    active = "running" if run.audited_at is None else "audited"
    return Row(
        run.assignment,
        epoch=run.epochs,
        value=run.last.get("val_macro_f1"),
        best=run.last.get("best_val_macro_f1"),
        state=state_of(reason_of(run)) if run.ended else active,
    )


HEADINGS = ("trial", "arm", "cohort", "depth", "crop", "lr", "epoch", "val F1", "best", "state")


class Progress(DriverCallback):
    """Shows trials as they go.

    Args:
        total: trials (or confirmation runs) in all.
        title: what is being done.
        earlier: those of them that earlier sessions began.
        history: holds which trials are audited, also during the search.
        notes: lines below the table, as of now.
    """

    def __init__(
        self,
        console: Console,
        results: Results,
        *,
        total: int,
        title: str,
        earlier: Iterable[RunHistory] = (),
        history: History | None = None,
        notes: Callable[[], list[str]] = list,
    ) -> None:
        self._history = history or History(identity={})
        self._results, self._total, self._title = results, total, title
        self._rows = {run.assignment.number: _row_of(run) for run in earlier if run.results}
        self._console, self._notes = console, notes
        self._began = time.monotonic()
        self._watch = StoreWatch(results.root, self._print)
        self._live: Live | None = None
        if console.is_terminal:
            self._live = Live(console=console, refresh_per_second=4, get_renderable=self._render)

    def setup(self, *args: Any, **info: Any) -> None:
        if self._live:
            self._live.start()
        else:
            self._watch.start()

    def on_trial_start(self, trial: Trial, **info: Any) -> None:
        self._row(trial)

    def on_trial_result(self, trial: Trial, result: dict[str, Any], **info: Any) -> None:
        row = self._row(trial)
        if result["epoch"] <= row.epoch:
            return  # a restarted run reports its last epoch again
        row.epoch = result["epoch"]
        row.value = result.get("val_macro_f1")
        row.best = result.get("best_val_macro_f1")
        if self._is_audited(row):
            row.state = "audited"
        if not self._live:
            self._say(row)

    def on_trial_complete(self, trial: Trial, **info: Any) -> None:
        self._ended(trial, (trial.last_result or {}).get("stop_reason") or "asha")

    def on_trial_error(self, trial: Trial, **info: Any) -> None:
        assignment = self._row(trial).assignment
        run = self._history.runs.get(assignment.number)  # which the recorder has ended by now
        self._ended(trial, "error" if run is None or not run.out_of_memory else "oom")
        where = error_file(self._results, assignment)
        say(self._console, f"trial {assignment.number} failed: {failure_of(trial).line} ({where})")

    def on_experiment_end(self, **info: Any) -> None:
        self.close()

    def close(self) -> None:
        """Leaves the last table on the screen; harmless when called again."""
        if self._live:
            self._live.stop()
        self._watch.stop()

    def _row(self, trial: Trial) -> Row:
        assignment = Assignment.from_dict(trial.config["run"])
        return self._rows.setdefault(assignment.number, Row(assignment))

    def _ended(self, trial: Trial, reason: str) -> None:
        row = self._row(trial)
        row.state = "pruned" if self._is_audited(row) else state_of(reason)
        if not self._live:
            self._say(row)

    def _is_audited(self, row: Row) -> bool:
        return self._history.audited_at(row.assignment.number) is not None

    def _say(self, row: Row) -> None:
        pairs = zip(HEADINGS, row.shown(), strict=True)
        text = "  ".join(f"{heading} {cell}" for heading, cell in pairs)
        self._print(text)

    def _print(self, line: str) -> None:
        say(self._console, f"[{self._elapsed()}] {line}")

    def _elapsed(self) -> str:
        minutes, seconds = divmod(int(time.monotonic() - self._began), 60)
        return f"{minutes:02d}:{seconds:02d}"

    def _render(self) -> Group:
        table = Table(*HEADINGS, box=None, pad_edge=False, header_style="bold")
        rows = sorted(self._rows.values(), key=lambda r: (r.state in _ACTIVE, r.assignment.number))
        for row in rows[-_ROWS:]:
            table.add_row(*cells(*row.shown()), style=_COLOURS.get(row.state, ""))
        ended = sum(r.state not in _ACTIVE for r in self._rows.values())
        title = f"{self._title}: {ended} of {self._total} ended, {self._elapsed()}"
        warning = unavailable_line(self._results.root)
        note = [styled(warning, style="yellow")] if warning else []
        note += [styled(line) for line in self._notes()]
        return Group(styled(title, style="bold"), table, *note)
