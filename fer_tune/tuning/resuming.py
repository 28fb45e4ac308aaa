"""What must be as it was before a search is taken up again, and what may change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console

from fer_tune.errors import Fault, ResultsError, SpaceError
from fer_tune.space import SearchSpace
from fer_tune.space.overrides import apply
from fer_tune.storage import Place
from fer_tune.tuning.events import History
from fer_tune.tuning.manifest import versions

#: Keys of the budget that may grow: no trial that has run would have been another.
_EXTENDABLE = ("trials", "wall_time")


def unchanged_space(manifest: Mapping[str, Any], history: History, folder: Place) -> SearchSpace:
    """The search space of the search.

    A search that began before there was an audit goes on without one.

    Raises:
        ResultsError: the manifest's differs from the one that the search began with.
    """
    before, now = history.space, manifest["space"]
    # A kill between the two notes of an extension leaves the manifest behind the log.
    if not any(now == {**before, "budget": budget} for budget in history.budgets):
        changes = list(_changes(before, now))
        raise ResultsError(
            f"the search space was changed since the search began: {'; '.join(changes[:5])}",
            where=str(folder / "manifest.json"),
            remedy="Undo that, or start a search of its own",
        )
    return SearchSpace.from_dict({"audit": {"share": 0.0}, **before})


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
                    rule=f"only {' and '.join(_EXTENDABLE)} can be extended",
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
    if new.trials < old.trials or (new.trials == old.trials and new.wall_time == old.wall_time):
        faults.append(
            Fault(
                key="trials",
                rule=f"must be more than the {old.trials} so far, as it counts all",
                value=new.trials,
            )
        )
    if new.wall_time is not None and (old.wall_time is None or new.wall_time < old.wall_time):
        faults.append(
            Fault(
                key="wall_time",
                rule="must be more than before",
                value=new.wall_time,
                remedy=f"It was {'unlimited' if old.wall_time is None else f'{old.wall_time:g} s'}",
            )
        )
    elif new.wall_time is not None and new.wall_time <= history.spent:
        faults.append(
            Fault(
                key="wall_time",
                rule=f"{history.spent:.0f} s are used up already",
                value=new.wall_time,
                remedy="Extend it too, as in --extend wall_time=2h",
            )
        )
    if faults:
        raise SpaceError("--extend", faults)
    return larger


def tell_changed_versions(manifest: Mapping[str, Any], console: Console) -> None:
    """Says which libraries are not those that the search began with."""
    now = versions()
    for name, before in manifest.get("versions", {}).items():
        if now.get(name) != before:
            console.print(
                f"{name} was {before} when the search began and is {now.get(name)} now: "
                "what goes on may differ in rounding.",
                highlight=False,
                soft_wrap=True,
            )


def _changes(before: Any, now: Any, key: str = "") -> Iterator[str]:
    """Every leaf that differs, as ``key: old → new``."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for name in sorted({*before, *now}):
            yield from _changes(before.get(name), now.get(name), f"{key}.{name}" if key else name)
    elif before != now:
        yield f"{key}: {before} → {now}"
