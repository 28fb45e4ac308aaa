"""Several results folders as one search: their studies become replicates of the same arms.

Trial numbers and replicates are shifted so that each is unique. Whether the searches may be
compared (same data, weights, budget, independent seeds) is decided by the validity checks; only
folders that do not fit into one table are rejected here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import pandas as pd

from analysis.inputs.search import Search
from fer_tune.errors import ResultsError
from fer_tune.schema.manifest import Latency
from fer_tune.storage import AnyPath

_FRAMES = ("trials", "confirmations", "epochs", "confusion", "predictions")


def merge(searches: Sequence[Search]) -> Search:
    """One search out of several.

    Replicates of an arm are counted on over the folders. Latencies are medians over the
    confirmation runs of all. Floors, thumbnails and probe are those of the first folder that has
    them: the validity checks verify that all were scored on the same pictures.

    Raises:
        ResultsError: the folders' classes, metrics or arms differ, or a folder is given twice.
    """
    assert len(searches) > 1, "two searches or more"
    _check(searches)
    _check_arms(searches)
    parts: list[dict[str, pd.DataFrame]] = []
    choices: list[dict[str, Any]] = []
    studies: dict[str, int] = {}
    first = 0
    for search in searches:
        shift = {arm: studies.get(arm, 0) for arm in search.arms}
        parts.append({name: _shifted(getattr(search, name), first, shift) for name in _FRAMES})
        choices += [_choice(c, first, shift) for c in search.get("choices", default=[])]
        for arm in search.arms:
            studies[arm] = shift[arm] + search.replicates
        first += _numbers(search)
    frames = {
        name: pd.concat([part[name] for part in parts], ignore_index=True) for name in _FRAMES
    }
    measured = next((s for s in searches if len(s.floors)), searches[0])
    return Search(
        root=searches[0].root,
        manifest=_manifest(searches, choices, studies),
        manifests=tuple(search.manifest for search in searches),
        scored=tuple(one for search in searches for one in search.scored),
        arms=tuple(studies),
        classes=searches[0].classes,
        floors=measured.floors,
        thumbnails=pd.concat([s.thumbnails for s in searches])
        .drop_duplicates("picture")
        .reset_index(drop=True),
        latency=_latency(searches),
        probe=next((s.probe for s in searches if s.probe is not None), None),
        **frames,
    )


def _latency(searches: Sequence[Search]) -> dict[str, Any]:
    """Per arm the runs of all folders, and medians over them."""
    runs: dict[str, list[Mapping[str, Any]]] = {}
    for search in searches:
        for arm, measured in search.latency.items():
            runs.setdefault(arm, []).extend(measured.get("runs", [measured]))
    return {
        arm: {
            **{key: median(run[key] for run in mine) for key in Latency.model_fields},
            "runs": mine,
        }
        for arm, mine in runs.items()
    }


def _check(searches: Sequence[Search]) -> None:
    seen: dict[AnyPath, Search] = {}
    one = searches[0]
    for search in searches:
        where = search.root.resolve()
        if where in seen:
            raise ResultsError(
                "the same results folder was given twice",
                where=str(search.root),
                remedy="List each folder once",
            )
        seen[where] = search
        for name in ("classes", "metric"):
            if getattr(search, name) != getattr(one, name):
                raise ResultsError(
                    f"cannot be merged with {one.root}: their {name} differ",
                    where=str(search.root),
                    value=getattr(search, name),
                    remedy="Merge only searches with the same classes and the same metric",
                )


def _check_arms(searches: Sequence[Search]) -> None:
    """An arm's name must mean the same everywhere."""
    one = searches[0]
    compared: dict[str, Any] = {}
    for search in searches:
        compare = search.get("space", "compare", default={})
        parameter = compare.get("parameter")
        if parameter != one.get("space", "compare", "parameter"):
            raise ResultsError(
                f"cannot be merged with {one.root}: it compares another parameter",
                where=str(search.root),
                value=parameter,
                remedy="Merge only searches that compare the same parameter",
            )
        for arm, value in (compare.get("arms") or {}).items():
            if compared.setdefault(arm, value) != value:
                raise ResultsError(
                    f"cannot be merged: arm {arm} means {compared[arm]!r} in another folder",
                    where=str(search.root),
                    value=value,
                    remedy="Merge only searches in which an arm's name means the same",
                )


def _shifted(frame: pd.DataFrame, first: int, shift: Mapping[str, int]) -> pd.DataFrame:
    moved = frame.astype({"trial": "int64", "replicate": "int64"})  # sums need not fit into 32 bits
    moved["trial"] += first
    moved["replicate"] += moved["arm"].map(shift).fillna(0).astype(moved["replicate"].dtype)
    return moved


def _choice(choice: Mapping[str, Any], first: int, shift: Mapping[str, int]) -> dict[str, Any]:
    return {
        **choice,
        "trial": choice["trial"] + first,
        "replicate": choice["replicate"] + shift[choice["arm"]],
        "runs": [run + first for run in choice.get("runs", [])],
    }


def _numbers(search: Search) -> int:
    """One above the highest number of a run."""
    tables = (search.trials, search.confirmations, search.epochs)
    return max((int(table["trial"].max()) for table in tables if len(table)), default=-1) + 1


def _manifest(
    searches: Sequence[Search], choices: list[dict[str, Any]], studies: Mapping[str, int]
) -> dict[str, Any]:
    """One manifest: combined where a key can be, otherwise that of the first search."""
    one = searches[0].manifest
    states = [search.state for search in searches]
    space: dict[str, Any] = dict(searches[0].get("space", default={}))
    arms = {k: v for s in reversed(searches) for k, v in s.get("arms", default={}).items()}
    compared = {
        k: v
        for s in reversed(searches)
        for k, v in s.get("space", "compare", "arms", default={}).items()
    }
    compare = {**space.get("compare", {}), "arms": compared}
    compare["replicates"] = max(studies.values(), default=1)
    frozen = [search.get("choice_frozen_at") for search in searches]
    seeds = max((s.get("confirm_seeds", default=[]) for s in searches), key=len)
    walls = [s.get("wall_seconds") for s in searches]
    return {
        **one,
        "name": " + ".join(
            dict.fromkeys(str(s.get("name", default=s.root.name)) for s in searches)
        ),
        "state": next((state for state in states if state != "finished"), "finished"),
        "command": [word for s in searches for word in (*s.get("command", default=[]), ";")][:-1],
        "started": min((s.get("started") for s in searches if s.get("started")), default=None),
        "ended": max((s.get("ended") for s in searches if s.get("ended")), default=None),
        "wall_seconds": None if None in walls else sum(walls),
        "space": {**space, "compare": compare},
        "arms": {arm: arms[arm] for arm in studies if arm in arms},
        "choices": choices,
        "choice_frozen_at": None if None in frozen else max(frozen),
        "confirm_seeds": seeds,
    }
