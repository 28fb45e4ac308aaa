"""The two stages of a search: exploring, and confirming what was chosen."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterable
from typing import Any

from fer_tune.errors import EnvironmentFault
from fer_tune.records import Results
from fer_tune.storage import Place
from fer_tune.tuning.asha import StudyAsha, make_scheduler
from fer_tune.tuning.assignment import Assignment
from fer_tune.tuning.audit import Audit
from fer_tune.tuning.closing import write_floors, write_latency
from fer_tune.tuning.confirmation import (
    choose,
    known_runs,
    missing_runs,
    number_runs,
    slowest_first,
)
from fer_tune.tuning.events import History
from fer_tune.tuning.mirrors import Journal, TensorBoard
from fer_tune.tuning.search import Search
from fer_tune.tuning.searcher import StudySearcher
from fer_tune.tuning.stage import run_stage
from fer_tune.tuning.trainable import MakeRun, ScoredRun
from fer_tune.tuning.working import JOURNAL_FILE


def explore(search: Search, make_run: MakeRun = ScoredRun) -> None:
    """Runs the trials that the studies ask for, until the budget is used up."""
    space, history = search.space, search.history
    audit = Audit(search.log, history, share=space.audit.share, seed=space.seeds.search)
    scheduler = make_scheduler(space, audit)
    if isinstance(scheduler, StudyAsha):
        scheduler.recall(history.trials)
    with search.log.clock():
        searcher = StudySearcher(
            space, search.log, deadline_s=space.budget.wall_time, history=history
        )
        if searcher.remaining:
            run_stage(
                space,
                search.settings,
                name="search",
                asked=search.asked,
                callbacks=[
                    search.recorder(),
                    TensorBoard(search.working / "tensorboard", history),
                    Journal(search.working / JOURNAL_FILE, searcher),
                    search.metrics(),
                    *search.progress(
                        total=space.budget.trials, title="search", earlier=history.trials
                    ),
                ],
                interruption=search.interruption,
                scheduler=scheduler,
                searcher=searcher,
                make_run=make_run,
                working=search.working,
                console=search.console,
            )
    _check_ended(searcher.assignments.values(), history, search.results.root)
    search.log.append("searched")


def confirm(search: Search, seeds: int, make_run: MakeRun = ScoredRun) -> None:
    """Runs the frozen choices with ``seeds`` seeds each, scored on test."""
    results, console, history = search.results, search.console, search.history
    seeds = max(seeds, results.manifest()["confirm_asked"] or 0)
    results.update_manifest(confirm_asked=seeds)
    choices = frozen_choices(results, search.space.metric, history)
    if not choices:
        console.print("No trial ran to its end, so there is nothing to confirm.")
        return
    first = max([*history.runs, *results.read("trials")["trial"]], default=-1) + 1
    choices = number_runs(choices, seeds, first)
    runs = missing_runs(search.space, choices, seeds, results.read("trials"))
    recorder = search.recorder()
    recorder.plan(runs)  # before the manifest names them: the log says which numbers are taken
    results.update_manifest(choices=choices)
    if not runs:
        console.print(f"All {seeds} seeds are confirmed already.")
        _close(search, choices, seeds)
        return
    write_floors(search.space, search.dataset, results)
    if results.manifest()["first_test_read_at"] is None:
        results.update_manifest(first_test_read_at=time.time())
    run_stage(
        search.space,
        search.settings,
        name="confirm",
        asked=search.asked,
        callbacks=[
            recorder,
            TensorBoard(search.working / "tensorboard", history),
            search.metrics(),
            *search.progress(
                total=len(runs),
                title="confirmation",
                earlier=[history.runs[run.number] for run in runs],
            ),
        ],
        interruption=search.interruption,
        runs=slowest_first(runs, choices, results.read("epochs")),
        make_run=make_run,
        working=search.working,
        console=search.console,
    )
    _check_ended(runs, history, results.root)
    _close(search, choices, seeds)
    left = missing_runs(search.space, choices, seeds, results.read("trials"))
    if left:
        console.print(
            f"{len(left)} of {len(runs)} confirmation runs have no test score; "
            f"`fer-tune confirm {shlex.quote(str(results.root))} --seeds {seeds}` runs them again.",
            highlight=False,
            soft_wrap=True,
        )


def frozen_choices(results: Results, metric: str, history: History) -> list[dict[str, Any]]:
    """The choice of every study; made and frozen at the first call, read at every later one.

    With each come the numbers of its confirmation runs so far, as the log has them.

    After an extension it is made anew. If it comes out the same, it counts as frozen when it
    first was: nobody has chosen anything in between.
    """
    manifest, logged = results.manifest(), [r.assignment for r in history.runs.values()]
    if manifest["choice_frozen_at"] is None:
        choices = known_runs(choose(results.read("trials"), metric), logged)
        frozen_at = time.time()
        superseded = manifest.get("superseded", [])
        if superseded:
            before = superseded[-1]
            if [_place(c) for c in choices] == [_place(c) for c in before["choices"]]:
                frozen_at, superseded = before["choice_frozen_at"], superseded[:-1]
        manifest = results.update_manifest(
            choices=choices, choice_frozen_at=frozen_at, superseded=superseded
        )
    return known_runs(manifest["choices"], logged)


def _check_ended(asked: Iterable[Assignment], history: History, root: Place) -> None:
    """Raises EnvironmentFault if Ray gave up before every run had ended."""
    left = [
        a.name for a in asked if a.number not in history.runs or not history.runs[a.number].ended
    ]
    if left:
        raise EnvironmentFault(
            f"Ray stopped before these had ended: {', '.join(left)}",
            where=str(root),
            remedy=f"Go on with: fer-tune resume {shlex.quote(str(root))}",
        )


def _place(choice: dict[str, Any]) -> tuple[str, int, int]:
    return choice["arm"], choice["replicate"], choice["trial"]


def _close(search: Search, choices: list[dict[str, Any]], seeds: int) -> None:
    history = search.history
    numbers = {number for choice in choices for number in choice["runs"]}
    write_latency(search.results, [r for n, r in history.runs.items() if n in numbers])
    search.results.update_manifest(confirm_seeds=list(range(seeds)))
