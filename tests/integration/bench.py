"""Recorded searches on paths and at URLs, in this process or in one that is disturbed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from fer_tune.data import import_source
from fer_tune.records import SCHEMAS, Results
from fer_tune.storage import AnyPath, address
from tests.command_line import Outcome
from tests.integration import recorded_search
from tests.integration.here import fer_tune_here
from tests.integration.killing import SearchProcess

SPACE = """
name: recorded
purpose: Recorded curves.
compare: {arms: [densenet121, resnet18]}
parameters:
  unfreeze_depth: {type: int, low: 0, high: 5}
  crop_size: 32
  lr_head: {type: float, low: 1e-4, high: 1e-2, log: true}
budget: {trials: 12, max_epochs: 4}
scheduler: {kind: asha, grace_epochs: 1, reduction_factor: 2}
stopper: {patience: 1}
resources: {cpu: 1, max_concurrent: 1}
weights: none
precision: float32
confirm: {seeds: 2}
"""
TRIALS = 12
RUNS = 2 * 2
#: What no two searches share.
TIMES = ["started", "setup_seconds", "seconds", "accelerator_seconds", "cpu_seconds", "node"]
TIMES += ["replayed_epochs"]


class Bench:
    """Runs searches of recorded runs, in this process or in one that can be disturbed.

    The folder ``home`` gets a search space and pictures.
    """

    def __init__(self, home: Path, space: str = SPACE) -> None:
        self.home = home
        self._given = {
            "XDG_CACHE_HOME": str(home / "cache"),
            "FER_TUNE_BANK": str(home / "bank"),
            "FER_TUNE_STORAGE_PATIENCE": "60",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        (home / "space.yaml").write_text(space)
        import_source("synthetic:60", home / "faces", classes=["happy", "sad"])

    @property
    def search(self) -> tuple[str, ...]:
        """The words of a search."""
        return ("search", str(self.home / "space.yaml"), "--data", str(self.home / "faces"))

    def here(self, *words: object, **environment: str) -> Outcome:
        """``fer-tune WORDS`` in this process, to its end."""
        given = {**self._given, **environment}
        alone = ("--no-dashboard", "--cpus", "1")
        return fer_tune_here(*words, *alone, main=recorded_search.main, **given)

    @contextmanager
    def start(
        self, folder: AnyPath, *words: str, seconds: float = 0.0, **environment: str
    ) -> Iterator[SearchProcess]:
        """``fer-tune WORDS`` in a process of its own, with epochs of so many seconds."""
        played = {recorded_search.SECONDS: str(seconds), recorded_search.LEAN: "1"}
        process = SearchProcess(
            folder,
            *(*words, "--no-dashboard", "--cpus", "1"),
            home=self.home,
            module=recorded_search.__name__,
            environment={**self._given, **played, **environment},
        )
        try:
            yield process
        finally:
            process.clean_up()

    def searching(self, folder: AnyPath, *words: str, **how: Any) -> Any:
        return self.start(folder, *self.search, "--results", address(folder), *words, **how)

    def resuming(self, folder: AnyPath, *words: str, **how: Any) -> Any:
        return self.start(folder, "resume", address(folder), *words, **how)

    def undisturbed(self) -> Results:
        """The search on a path."""
        done = self.here(*self.search, "--results", self.home / "path")
        assert done.code == 0, done
        return Results(self.home / "path")


def same(one: Results, other: Results) -> None:
    """All rows of all tables are equal, but for times."""
    for table in SCHEMAS:
        left, right = (r.read(table).drop(columns=TIMES, errors="ignore") for r in (one, other))  # type: ignore[arg-type]
        pd.testing.assert_frame_equal(left, right)
    assert other.manifest()["state"] == "finished"
    choices = [
        [(c["arm"], c["trial"], c["runs"]) for c in r.manifest()["choices"]] for r in (one, other)
    ]
    assert choices[0] == choices[1]
    trials = other.read("trials")
    assert len(trials) == TRIALS + RUNS and trials["trial"].is_unique
