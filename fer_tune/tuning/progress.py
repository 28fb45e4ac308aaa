"""The live table of a search on a terminal; a plain line per epoch elsewhere."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray.tune import Callback
from ray.tune.experiment import Trial
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from fer_tune.tuning.assignment import Assignment
from fer_tune.tuning.recorder import state_of

_COLOURS = {
    "running": "cyan",
    "complete": "green",
    "overfit": "yellow",
    "pruned": "bright_black",
    "diverged": "red",
    "oom": "red",
    "failed": "red",
}
#: Rows of the live table; the oldest ended trials leave first.
_ROWS = 24


@dataclass
class Row:
    """What the table shows of one trial."""

    assignment: Assignment
    epoch: int = 0
    value: float | None = None
    best: float | None = None
    state: str = "running"

    def cells(self) -> list[str]:
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


HEADINGS = ("trial", "arm", "cohort", "depth", "crop", "lr", "epoch", "val F1", "best", "state")


class Progress(Callback):
    """Shows trials as they go.

    Args:
        total: trials (or confirmation runs) to come.
        title: what is being done.
    """

    def __init__(self, console: Console, *, total: int, title: str) -> None:
        self._total, self._title = total, title
        self._rows: dict[int, Row] = {}
        self._attach(console)

    def _attach(self, console: Console) -> None:
        self._console = console
        self._began = time.monotonic()
        self._live: Live | None = None
        if console.is_terminal:
            self._live = Live(console=console, refresh_per_second=4, get_renderable=self._render)

    def __getstate__(self) -> dict[str, Any]:
        # Ray pickles callbacks for a restore; a console cannot go along.
        return {"_total": self._total, "_title": self._title, "_rows": {}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._attach(Console())

    def setup(self, *args: Any, **info: Any) -> None:
        if self._live:
            self._live.start()

    def on_trial_start(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        self._row(trial)

    def on_trial_result(
        self,
        iteration: int,
        trials: list[Trial],
        trial: Trial,
        result: dict[str, Any],
        **info: Any,
    ) -> None:
        row = self._row(trial)
        row.epoch = result["epoch"]
        row.value = result.get("val_macro_f1")
        row.best = result.get("best_val_macro_f1")
        if not self._live:
            self._say(row)

    def on_trial_complete(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        self._ended(trial, (trial.last_result or {}).get("stop_reason") or "asha")

    def on_trial_error(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        self._ended(trial, "error")
        fault, where = _fault(trial)
        self._console.print(
            f"trial {self._row(trial).assignment.number} failed: {fault} ({where})",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )

    def on_experiment_end(self, trials: list[Trial], **info: Any) -> None:
        self.close()

    def close(self) -> None:
        """Leaves the last table on the screen; harmless when called again."""
        if self._live:
            self._live.stop()

    def _row(self, trial: Trial) -> Row:
        assignment = Assignment.from_dict(trial.config["run"])
        return self._rows.setdefault(assignment.number, Row(assignment))

    def _ended(self, trial: Trial, reason: str) -> None:
        row = self._row(trial)
        row.state = state_of(reason)
        if not self._live:
            self._say(row)

    def _say(self, row: Row) -> None:
        pairs = zip(HEADINGS, row.cells(), strict=True)
        text = "  ".join(f"{heading} {cell}" for heading, cell in pairs)
        self._console.print(f"[{self._elapsed()}] {text}", highlight=False, soft_wrap=True)

    def _elapsed(self) -> str:
        minutes, seconds = divmod(int(time.monotonic() - self._began), 60)
        return f"{minutes:02d}:{seconds:02d}"

    def _render(self) -> Group:
        table = Table(*HEADINGS, box=None, pad_edge=False, header_style="bold")
        rows = sorted(
            self._rows.values(), key=lambda r: (r.state == "running", r.assignment.number)
        )
        for row in rows[-_ROWS:]:
            table.add_row(*row.cells(), style=_COLOURS.get(row.state, ""))
        ended = sum(r.state != "running" for r in self._rows.values())
        head = Text(f"{self._title}: {ended} of {self._total} ended, {self._elapsed()}", "bold")
        return Group(head, table)


def _fault(trial: Trial) -> tuple[str, str]:
    """The last line of a failed trial's traceback, and the file that holds all of it."""
    error_file = trial.error_file
    if not error_file or not Path(error_file).is_file():
        return "no traceback was left", str(trial.path)
    lines = Path(error_file).read_text(encoding="utf-8").strip().splitlines()
    return (lines[-1] if lines else "empty traceback"), error_file
