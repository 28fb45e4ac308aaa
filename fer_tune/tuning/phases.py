"""The two phases of a search: exploring, and confirming the choices."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from fer_tune.console import say
from fer_tune.errors import EnvironmentFault
from fer_tune.escaping import shell_word
from fer_tune.records import Results
from fer_tune.storage import AnyPath
from fer_tune.tuning.files.local_files import JOURNAL_FILE
from fer_tune.tuning.kept_models import RemoveWorse, keep_models
from fer_tune.tuning.log.assignment import Assignment
from fer_tune.tuning.log.events import History
from fer_tune.tuning.monitor.final_records import write_floors, write_latency
from fer_tune.tuning.monitor.mirrors import Journal, TensorBoard
from fer_tune.tuning.monitor.split_readings import record_raised_seeds, record_test_reading
from fer_tune.tuning.raytune.tune_runner import run_phase
from fer_tune.tuning.raytune.worker.runs import RunFactory
from fer_tune.tuning.session import Search
from fer_tune.tuning.studies.allowance import Allowance
from fer_tune.tuning.studies.asha import StudyAsha, make_scheduler
from fer_tune.tuning.studies.confirmation import (
    choose,
    known_runs,
    missing_runs,
    number_runs,
    slowest_first,
)
from fer_tune.tuning.studies.no_gain import without_gain
from fer_tune.tuning.studies.regret_audit import RegretAudit
from fer_tune.tuning.studies.searcher import StudySearcher
from fer_tune.tuning.studies.used_up import check_starts_any, used_up, used_up_words


def explore(search: Search, make_run: RunFactory | None = None) -> None:
    """Runs the trials of all studies, until the budget is used up."""
    space, history = search.space, search.history
    audit = RegretAudit(search.log, history, share=space.audit.share, seed=space.seeds.search)
    scheduler = make_scheduler(space, audit)
    if isinstance(scheduler, StudyAsha):
        scheduler.replay(history.trials)
    with search.log.clock():
        searcher = _make_searcher(search, history)
        if searcher.remaining:
            run_phase(
                space,
                search.settings,
                name="search",
                asked=search.asked,
                callbacks=[
                    search.recorder(),
                    TensorBoard(search.local_folder / "tensorboard", history),
                    Journal(search.local_folder / JOURNAL_FILE, searcher),
                    search.metrics(),
                    *search.progress(
                        total=space.budget.trials,
                        title="search",
                        earlier=history.trials,
                        notes=searcher.notes,
                    ),
                ],
                interruption=search.interruption,
                scheduler=scheduler,
                searcher=searcher,
                make_run=make_run,
                local_folder=search.local_folder,
                console=search.console,
                can_grow=search.can_grow,
            )
    _check_ended(searcher.assignments.values(), history, search.results.root)
    if history.no_gain is not None:
        search.results.update_manifest(no_gain=history.no_gain)
        say(search.console, without_gain(history.no_gain), wrap=True)
    if (budget := used_up(searcher)) is not None:
        search.results.update_manifest(used_up=budget)
        say(search.console, used_up_words(budget, search.results.root), wrap=True)
    search.log.append("searched")


def check_extension(search: Search) -> None:
    """Checks that a search with a larger budget has trials to run.

    Raises:
        SpaceError: another budget is used up.
    """
    # The extension makes that decision anew.
    check_starts_any(_make_searcher(search, replace(search.history, no_gain=None)))


def _make_searcher(search: Search, history: History) -> StudySearcher:
    space = search.space
    if history.budget_version < 2:  # confirmation comes on top of the wall time
        limits: dict[str, Any] = {"deadline_s": space.budget.wall_time}
    else:
        limits = {"allowance": Allowance(space, search.log, slots=search.slots)}
    return StudySearcher(space, search.log, history=history, **limits)


def confirm(search: Search, seeds: int, make_run: RunFactory | None = None) -> None:
    """Runs the frozen choices with ``seeds`` seeds each, scored on test."""
    results, console, history = search.results, search.console, search.history
    seeds = max(seeds, results.manifest()["confirm_asked"] or 0)
    record_raised_seeds(results, seeds)
    results.update_manifest(confirm_asked=seeds)
    choices = frozen_choices(results, search.space.metric, history)
    if not choices:
        say(console, "No trial was completed, so there is nothing to confirm.")
        return
    first = max([*history.runs, *results.read("trials")["trial"]], default=-1) + 1
    choices = number_runs(choices, seeds, first)
    runs = missing_runs(search.space, choices, seeds, results.read("trials"))
    recorder = search.recorder()
    recorder.plan(runs)  # before the manifest names them: the log records used numbers
    results.update_manifest(choices=choices)
    if not runs:
        say(console, f"All {seeds} seeds are already confirmed.")
        _close(search, choices, seeds)
        return
    write_floors(search.space, search.dataset, results, history.audit_version)
    record_first_reading(results)
    record_test_reading(search.dataset, results, search.console)
    run_phase(
        search.space,
        search.settings,
        name="confirm",
        asked=search.asked,
        callbacks=[
            recorder,
            RemoveWorse(search, choices),
            TensorBoard(search.local_folder / "tensorboard", history),
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
        local_folder=search.local_folder,
        console=search.console,
        can_grow=search.can_grow,
    )
    _check_ended(runs, history, results.root)
    _close(search, choices, seeds)
    left = missing_runs(search.space, choices, seeds, results.read("trials"))
    if left:
        say(
            console,
            f"{len(left)} of {len(runs)} confirmation runs have no test score; "
            f"`fer-tune confirm {shell_word(results.root)} --seeds {seeds}` runs them again.",
        )


def frozen_choices(results: Results, metric: str, history: History) -> list[dict[str, Any]]:
    """The choice of every study; made and frozen at the first call, read at every later one.

    Each has the numbers of its confirmation runs so far, from the log.

    After an extension the choice is made again. If it is the same, it keeps the time at which it
    was first frozen.
    """
    manifest, logged = results.manifest(), [r.assignment for r in history.runs.values()]
    if manifest["choice_frozen_at"] is None:
        choices = known_runs(choose(results.read("trials"), metric), logged)
        frozen_at = time.time()
        superseded = manifest.get("superseded", [])
        if superseded:
            before = superseded[-1]
            if [_chosen_trial(c) for c in choices] == [_chosen_trial(c) for c in before["choices"]]:
                frozen_at, superseded = before["choice_frozen_at"], superseded[:-1]
        manifest = results.update_manifest(
            choices=choices, choice_frozen_at=frozen_at, superseded=superseded
        )
    return known_runs(manifest["choices"], logged)


def record_first_reading(results: Results) -> None:
    """Records when the first test score is about to be read, once: after the choice was frozen.

    That may have been on another machine, whose clock is ahead of this one's.
    """
    manifest = results.manifest()
    if manifest["first_test_read_at"] is None:
        read_at = max(time.time(), manifest["choice_frozen_at"])
        results.update_manifest(first_test_read_at=read_at)


def _check_ended(asked: Iterable[Assignment], history: History, root: AnyPath) -> None:
    """Raises EnvironmentFault if Ray stopped before every run had ended."""
    left = [
        a.name for a in asked if a.number not in history.runs or not history.runs[a.number].ended
    ]
    if left:
        raise EnvironmentFault(
            f"Ray stopped before these had ended: {', '.join(left)}",
            where=str(root),
            remedy=f"Resume it: fer-tune resume {shell_word(root)}",
            temporary=True,
        )


def _chosen_trial(choice: dict[str, Any]) -> tuple[str, int, int]:
    return choice["arm"], choice["replicate"], choice["trial"]


def _close(search: Search, choices: list[dict[str, Any]], seeds: int) -> None:
    history = search.history
    numbers = {number for choice in choices for number in choice["runs"]}
    write_latency(search.results, [r for n, r in history.runs.items() if n in numbers])
    keep_models(search, choices)
    search.results.update_manifest(confirm_seeds=list(range(seeds)))
