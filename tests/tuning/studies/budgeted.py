"""A search space with a budget, a clock that is set by hand, and reports of epochs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fer_tune.space import SearchSpace
from fer_tune.tuning.log.events import EventLog
from tests.tuning.conftest import make_space


def space_of(**budget: Any) -> SearchSpace:
    return make_space(
        budget={"trials": 40, "max_epochs": 9, **budget}, confirm={"seeds": 3}, augment={"views": 2}
    )


class Clock(EventLog):
    """A log whose clock is set by hand."""

    def __init__(self, folder: Path) -> None:
        EventLog.begin(folder, {"space": {"budget": {}}})
        super().__init__(folder)
        self.now = 0.0

    def spent(self) -> float:
        return self.now


def report(seconds: float, epoch: int = 1, **more: Any) -> dict[str, Any]:
    whole = {"epoch": epoch, "ran": True, "epoch_seconds": seconds, "seconds": seconds * epoch}
    return {**whole, "setup_seconds": 0.0, **more}
