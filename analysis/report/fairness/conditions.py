"""Conditions of the search: one row per condition, a value per arm."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from analysis.formats import general, listing
from analysis.inputs.search import Search, value_at
from analysis.report.quantities import Json
from analysis.validity.limits import for_arm

#: Conditions of a whole search, by name, and their keys in the manifest.
_RECORDED = {
    "dataset": ("dataset", "fingerprint"),
    "split seed": ("seeds", "split"),
    "view seed": ("seeds", "views"),
    "views per policy": ("space", "augment", "views"),
    "ranking metric": ("space", "metric"),
    "early stopping": ("space", "scheduler"),
    "overfit stopper": ("space", "stopper"),
    "precision": ("space", "precision"),
    "training version": ("training_version",),
    "audit version": ("audit_version",),
}


def condition_rows(search: Search) -> list[Json]:
    """Conditions as ``{name, values: {arm: text}, same}``; merged searches list all values.

    Confirmation seeds are compared as sets, study by study.
    """
    makers: dict[str, Callable[[str], str]] = {
        "studies": lambda arm: str(_mine(search, arm)["replicate"].nunique()),
        "maximum epochs": lambda arm: _listed(_mine(search, arm)["max_epochs"]),
        "weights recipe": lambda arm: _recorded(search, arm, ("arms", arm, "weights")),
    }
    rows = [_row(search, name, make) for name, make in makers.items()]
    rows += [
        _row(search, name, lambda arm, path=path: _recorded(search, arm, path))  # type: ignore[misc]
        for name, path in _RECORDED.items()
    ]
    if len(search.confirmations):
        rows.append(_confirmed(search))
    return [row for row in rows if any(row["values"].values())]


def parameter_rows(search: Search) -> list[Json]:
    """Every hyperparameter of the search space, as sampled or fixed in each arm.

    Returns:
        ``{parameter, sampled, same, conditional, values: {arm: text}}``; ``conditional``: the
        space sets it arm by arm.
    """
    spaces = [manifest.get("space") or {} for manifest in search.manifests]
    names = dict.fromkeys(name for space in spaces for name in space.get("parameters") or {})
    rows = []
    for name in names:
        specs = {arm: _specs(search, arm, name) for arm in search.arms}
        values = {
            arm: " or ".join(dict.fromkeys(_words(one) for one in found))
            for arm, found in specs.items()
        }
        given = [(space.get("parameters") or {}).get(name) for space in spaces]
        rows.append(
            {
                "parameter": name,
                "sampled": any(isinstance(s, Mapping) for found in specs.values() for s in found),
                "conditional": any(isinstance(s, Mapping) and "per_arm" in s for s in given),
                "same": len(set(values.values())) <= 1,
                "values": values,
            }
        )
    return rows


def _specs(search: Search, arm: str, name: str) -> list[object]:
    """How each search with ``arm`` sets a parameter there; None: the default."""
    return [
        for_arm(value_at(manifest, "space", "parameters", name), arm)
        for manifest in _with(search, arm)
    ]


def _row(search: Search, name: str, make: Callable[[str], str]) -> Json:
    values = {arm: make(arm) for arm in search.arms}
    return {"name": name, "values": values, "same": len(set(values.values())) <= 1}


def _confirmed(search: Search) -> Json:
    """Seeds with a score; "3 of 5" where the runs of the others ended without one."""
    runs = search.confirmations
    by_arm = {arm: runs[runs["arm"] == arm] for arm in search.arms}
    seeds = {
        arm: mine[mine["test_macro_f1"].notna()]
        .groupby("replicate")["seed"]
        .agg(frozenset)
        .to_dict()
        for arm, mine in by_arm.items()
    }
    values = {
        arm: listing(
            dict.fromkeys(
                str(scored) if scored == asked else f"{scored} of {asked}"
                for replicate, asked in mine.groupby("replicate")["seed"].nunique().items()
                for scored in [len(seeds[arm].get(replicate, ()))]
            )
        )
        for arm, mine in by_arm.items()
    }
    first = next(iter(seeds.values()))
    same = all(by_study == first for by_study in seeds.values())
    return {"name": "confirmation seeds per study", "values": values, "same": same}


def _mine(search: Search, arm: str) -> Any:
    return search.trials[search.trials["arm"] == arm]


def _listed(column: Any) -> str:
    return listing(f"{value:.0f}" for value in sorted(column.dropna().unique()))


def _with(search: Search, arm: str) -> list[Mapping[str, Any]]:
    """The manifests that have ``arm``."""
    return [manifest for manifest in search.manifests if arm in (manifest.get("arms") or {})]


def _recorded(search: Search, arm: str, path: tuple[str, ...]) -> str:
    """The different values in the manifests with ``arm``."""
    found = (value_at(manifest, *path) for manifest in _with(search, arm))
    return listing(dict.fromkeys(_brief(value) for value in found if value is not None))


def _brief(value: object) -> str:
    if isinstance(value, Mapping):
        return listing(f"{key} {general(inner)}".replace("_", " ") for key, inner in value.items())
    text = general(value)
    return text[:12] if len(text) == 64 else text


def _words(spec: object) -> str:
    """A domain or a fixed value in words."""
    if spec is None:
        return "default"
    if not isinstance(spec, Mapping):
        return f"{general(spec)} (fixed)"
    if spec["type"] == "choice":
        return listing(general(value) for value in spec["values"])
    words = f"{general(spec['low'])} to {general(spec['high'])}"
    if spec["type"] == "int":
        step = spec.get("step") or 1
        words += ", integer" if step == 1 else f", in steps of {step}"
    return words + (", log" if spec.get("log") else "")
