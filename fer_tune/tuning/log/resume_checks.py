"""Checks before a resume: what must be unchanged, and what may be extended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console

from fer_tune.console import say
from fer_tune.data.audit import AUDIT_VERSION
from fer_tune.errors import Fault, ResultsError, SpaceError
from fer_tune.escaping import shell_word
from fer_tune.schema import shown
from fer_tune.schema.faults import SHOWN
from fer_tune.space import SearchSpace, plan, recorded_space
from fer_tune.space.overrides import apply
from fer_tune.storage import AnyPath
from fer_tune.training.context import TRAINING_VERSION
from fer_tune.tuning.log.assignment import study_name
from fer_tune.tuning.log.events import BUDGET_VERSION, EVENTS_FILE, History
from fer_tune.tuning.log.manifest import versions

#: Keys of the budget that may grow: this changes no trial that has run.
_LIMITS = {"wall_time": " s", "accelerator_hours": "", "money": ""}
_EXTENDABLE = ("trials", *_LIMITS)
#: Keys of the manifest that a resume reads: with a value, and with one or null.
_NEEDED = ("dataset", "classes", "arms", "started", "choices", "superseded")
_NULLABLE = ("startup_seconds", "choice_frozen_at", "first_test_read_at", "confirm_asked")


def check_unchanged_space(
    manifest: Mapping[str, Any], history: History, folder: AnyPath
) -> SearchSpace:
    """The search space of a search, checked to be the one that it began with.

    A search of an older version, without a regret audit, is resumed without one.

    Raises:
        SpaceError: the log's search space is invalid, so no search wrote it.
        ResultsError: the manifest's differs from the one that the search began with.
    """
    space = recorded_space(history.space, where=str(folder / EVENTS_FILE))
    before, now = history.space, manifest.get("space")
    # After a kill between the two writes of an extension, the manifest lags behind the log.
    if not any(now == {**before, "budget": budget} for budget in history.budgets):
        changes = list(_changes(before, now))
        raise ResultsError(
            f"the search space has changed since the search began: {'; '.join(changes[:5])}",
            where=str(folder / "manifest.json"),
            remedy="Undo the changes, or start a new search",
        )
    return space


def check_same_search(space: SearchSpace, history: History, folder: AnyPath) -> None:
    """Checks that a folder holds the search that a repeated command describes.

    Its budget may have been extended since.

    Raises:
        ResultsError: it holds another search.
    """
    where = str(folder / EVENTS_FILE)
    values = space.as_dict()
    if "sampler" not in history.identity["space"] and values["sampler"] == "auto":
        values["sampler"] = "tpe"  # began before there was a choice
    before = recorded_space(history.identity["space"], where=where).as_dict()
    budgets = [{**before["budget"], **larger} for larger in history.budgets]
    if not any(values == {**before, "budget": budget} for budget in budgets):
        changes = list(_changes(before, values))
        raise ResultsError(
            f"the results folder holds another search: {'; '.join(changes[:5])}",
            where=str(folder),
            remedy="Choose another folder with --results, or undo the changes. More trials: "
            f"fer-tune resume {shell_word(folder)} --extend trials=N",
        )


def check_recorded(
    space: SearchSpace, manifest: Mapping[str, Any], history: History, folder: AnyPath
) -> None:
    """Checks that manifest and log hold what a resume needs.

    Raises:
        ResultsError: a key of the manifest is missing, an event does not fit the search space, or
            the runs of this search are trained in a way that only a later version knows.
    """
    _check_training(history, folder)
    remedy = "Restore the folder from a backup, or start a new search"
    missing = next(_missing(space, manifest), None)
    if missing is not None:
        raise ResultsError(
            f"{missing} is missing", where=str(folder / "manifest.json"), remedy=remedy
        )
    if "fingerprint" not in history.identity:
        raise ResultsError("fingerprint is missing", where=str(folder / EVENTS_FILE), remedy=remedy)
    mismatch = next(_mismatches(space, len(manifest["classes"]), history), None)
    if mismatch is not None:
        raise ResultsError(
            f"does not fit the search space: {mismatch}",
            where=str(folder / EVENTS_FILE),
            remedy=remedy,
        )


def _check_training(history: History, folder: AnyPath) -> None:
    if history.training_version > TRAINING_VERSION:
        raise ResultsError(
            f"the runs of this search are trained by version {history.training_version} of the "
            f"training, and this fer_tune knows versions up to {TRAINING_VERSION}",
            where=str(folder / EVENTS_FILE),
            remedy="Use the fer_tune version that began it (named in manifest.json)",
        )
    if history.budget_version > BUDGET_VERSION:
        raise ResultsError(
            f"the budgets of this search follow version {history.budget_version} of their rule, "
            f"and this fer_tune knows versions up to {BUDGET_VERSION}",
            where=str(folder / EVENTS_FILE),
            remedy="Use the fer_tune version that began it (named in manifest.json)",
        )
    if history.audit_version > AUDIT_VERSION:
        raise ResultsError(
            f"the splits of this search follow version {history.audit_version} of the audit, and "
            f"this fer_tune knows versions up to {AUDIT_VERSION}",
            where=str(folder / EVENTS_FILE),
            remedy="Use the fer_tune version that began it (named in manifest.json)",
        )


def _missing(space: SearchSpace, manifest: Mapping[str, Any]) -> Iterator[str]:
    """Keys of the manifest that a resume needs and that are missing."""
    yield from (key for key in _NEEDED if manifest.get(key) is None)
    yield from (key for key in _NULLABLE if key not in manifest)
    arms = manifest.get("arms") or {}
    yield from (
        f"arms.{arm}" for arm in space.compare.arms if "weights_sha256" not in arms.get(arm, {})
    )
    if not (manifest.get("dataset") or {}).get("path"):
        yield "dataset.path"


def _mismatches(space: SearchSpace, classes: int, history: History) -> Iterator[str]:
    """Events that no session of this search can have written."""
    studies = {study_name(s.arm or "all", s.replicate) for s in plan(space).studies}
    yield from (
        f"there is no study {shown(name)}" for name, _ in history.skipped if name not in studies
    )
    yield from (
        f"earlier trial {number} lies outside the search space"
        for number, trial in enumerate(history.earlier)
        if trial.arm not in space.compare.arms or not space.covers(trial.arm, trial.config)
    )
    for run in history.runs.values():
        one = run.assignment
        if one.arm not in space.compare.arms or not 0 <= one.replicate < space.compare.replicates:
            yield f"run {one.number} belongs to unknown study {shown(one.study)}"
        for result in run.results:
            if len(result.get("best_counts") or range(classes)) != classes:
                yield (f"the confusion counts of run {one.number} do not have {classes} classes")


def extended(space: SearchSpace, history: History, changes: Sequence[str]) -> SearchSpace:
    """``space`` with a larger budget.

    Raises:
        SpaceError: another key, no larger value, or a budget of time that is used up.
    """
    faults: list[Fault] = []
    for change in changes:
        key = change.partition("=")[0].strip()
        if key not in _EXTENDABLE or "=" not in change:
            faults.append(
                Fault(
                    key="--extend",
                    rule=f"only {', '.join(_EXTENDABLE)} can be extended",
                    value=change,
                    remedy="For example --extend trials=40",
                )
            )
    if faults:
        raise SpaceError("--extend", faults)
    values, faults = apply(space.as_dict(), [f"budget.{change.strip()}" for change in changes])
    if faults:
        raise SpaceError("--extend", faults)
    larger = SearchSpace.from_dict(values, where="--extend")
    old, new = space.budget, larger.budget
    grown = any(getattr(new, key) != getattr(old, key) for key in _LIMITS)
    if new.trials < old.trials or (new.trials == old.trials and not grown):
        faults.append(
            Fault(
                key="trials",
                rule=f"must be more than the {old.trials} so far: it counts all trials",
                value=new.trials,
            )
        )
    for key, unit in _LIMITS.items():
        was, now = getattr(old, key), getattr(new, key)
        if now is not None and (was is None or now < was):
            remedy = f"It was {'unlimited' if was is None else f'{was:g}{unit}'}"
            faults.append(Fault(key=key, rule="must be more than before", value=now, remedy=remedy))
    if not faults and new.wall_time is not None and new.wall_time <= history.spent:
        faults.append(
            Fault(
                key="wall_time",
                rule=f"{history.spent:.0f} s are already used up",
                value=new.wall_time,
                remedy="Extend it too, as in --extend wall_time=2h",
            )
        )
    if faults:
        raise SpaceError("--extend", faults)
    return larger


def report_changed_versions(manifest: Mapping[str, Any], console: Console) -> None:
    """Reports libraries whose versions differ from those that the search began with."""
    now = versions()
    for name, before in (manifest.get("versions") or {}).items():
        if now.get(name) != before:
            say(
                console,
                f"{name} was {before} when the search began and is {now.get(name)} now: "
                "further results may differ in rounding.",
            )


def report_older_training(history: History, console: Console) -> None:
    """Reports that a search keeps the training that it began with, if that is an older one."""
    if history.training_version < TRAINING_VERSION:
        say(
            console,
            "This search began with an earlier version of the training: its class weights and its "
            "overfit stopper stay as they were, so that all of its runs are comparable.",
        )
    if (
        history.audit_version < AUDIT_VERSION
        and (history.space.get("data") or {}).get("leaks") != "exact"
    ):
        say(
            console,
            "This search began before near copies were searched for: its splits stay as they "
            "were, and only exact copies count as leaks.",
        )


def _changes(before: Any, now: Any, key: str = "") -> Iterator[str]:
    """Every leaf that differs, as ``key: old → new``."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for name in sorted({*before, *now}):
            yield from _changes(before.get(name), now.get(name), f"{key}.{name}" if key else name)
    elif before != now:
        yield f"{key[:SHOWN]}: {_brief(before)} → {_brief(now)}"


def _brief(value: Any) -> str:
    text = str(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
