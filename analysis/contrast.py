"""Two results folders side by side: what was done differently, and what it changed per arm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analysis.estimators.welch import difference_interval
from analysis.formats import general, listing, points
from analysis.loading import Search
from analysis.report.document import build
from analysis.report.quantities import F1, Json, estimated, plain
from analysis.settings import Settings
from analysis.terminal import interval, paragraph, table
from analysis.units import arm_units, plural_of

#: What tells two searches apart, by the manifest's keys.
_COMPARED = ("space", "versions", "hardware")


def contrast(first: Search, second: Search, settings: Settings | None = None) -> Json:
    """Verdicts of both, differing settings, and per common arm second minus first.

    The difference is Welch's over the units of each search. With one study each it is between the
    two configurations found, whose choice is luck in part, and says nothing of what was changed.
    Nothing is subtracted where the data differ or one is a mean of seeds, the other of studies.
    """
    reports = [build(search, settings) for search in (first, second)]
    same_data = _same_data(first, second)
    common = [arm for arm in first.arms if arm in second.arms]
    found: Json = plain(
        {
            "searches": [
                {
                    "results": str(search.root),
                    "name": report["search"]["name"],
                    "verdict": report["verdict"]["chip"],
                    "sentence": report["verdict"]["sentence"],
                }
                for search, report in zip((first, second), reports, strict=True)
            ],
            "same_data": same_data,
            "unit": first.unit if first.unit == second.unit else "different",
            "differences": _differences(first.manifest, second.manifest),
            "arms": [
                {
                    "arm": arm,
                    "first": _score(reports[0], arm),
                    "second": _score(reports[1], arm),
                    "change": _change(first, second, arm) if same_data else None,
                    "broken": [*_broken(reports[0]), *_broken(reports[1])],
                }
                for arm in common
            ],
            "only_first": [arm for arm in first.arms if arm not in second.arms],
            "only_second": [arm for arm in second.arms if arm not in first.arms],
        }
    )
    return found


def contrast_text(found: Json) -> str:
    """:func:`contrast` for a terminal, lines of at most 96 signs where tables allow."""
    blocks = [
        "\n".join(
            (
                f"{mark}: {one['results']} ({one['name']}), {one['verdict']}",
                paragraph(one["sentence"], "   "),
            )
        )
        for mark, one in zip("AB", found["searches"], strict=True)
    ]
    if found["differences"]:
        rows = [["what differs", "A", "B"]]
        rows += [[d["key"], _short(d["first"]), _short(d["second"])] for d in found["differences"]]
        blocks.append(table(rows))
    else:
        blocks.append("Search space, versions and hardware are the same.")
    if found["arms"]:
        rows = [["test macro-F1", "A", "B", "B - A, points", "interval"]]
        blocks.append(table([*rows, *(_row(arm) for arm in found["arms"])]))
        blocks += [paragraph(note) for note in _notes(found)]
    for mark, key in (("A", "only_first"), ("B", "only_second")):
        if found[key]:
            blocks.append(f"In {mark} alone: {listing(found[key])}")
    return "\n\n".join(blocks)


def _notes(found: Json) -> list[str]:
    """How the differences are to be read."""
    notes = []
    if not found["same_data"]:
        notes.append("The datasets differ, so their scores are not subtracted.")
    elif found["unit"] == "different":
        notes.append("One has several studies, the other one, so they are not subtracted.")
    elif found["unit"] == "seed":
        notes.append(
            "The unit is the confirmation seed: B - A is between the two configurations found. "
            "Searches that differ in luck alone find different ones, so this is no proof that "
            "what was changed did it."
        )
    else:
        notes.append("The unit is the study: B - A is what all the changes together did.")
    broken = sorted({name for arm in found["arms"] for name in arm["broken"]})
    if broken:
        notes.append(f"With care, as this does not hold in one of them: {'; '.join(broken)}.")
    return notes


def _broken(report: Json) -> list[str]:
    """Checks on the scores themselves, rather than on the comparison of arms."""
    wanted = ("choice", "leaks", "data", "units")
    return [
        check["name"]
        for check in report["validity"]
        if check["status"] == "broken" and check["id"] in wanted
    ]


def _same_data(first: Search, second: Search) -> bool:
    """The same dataset, known to be so, scored on the same test pictures."""
    prints = {search.get("dataset", "fingerprint") for search in (first, second)}
    pictures = [set(search.predictions["position"]) for search in (first, second)]
    return len(prints) == 1 and None not in prints and pictures[0] == pictures[1]


def _row(arm: Json) -> list[str]:
    change = arm["change"]
    ends = ""
    if change and change["low"] is not None:
        ends = f"{points(change['low'], sign=True)} to {points(change['high'], sign=True)}"
    return [
        arm["arm"],
        interval(arm["first"]),
        interval(arm["second"]),
        points(change["value"] if change else None, sign=True),
        ends,
    ]


def _short(value: object) -> str:
    text = general(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _score(report: Json, arm: str) -> Json | None:
    found: Json | None = next(a["test_macro_f1"] for a in report["arms"] if a["arm"] == arm)
    return found


def _change(first: Search, second: Search, arm: str) -> Json | None:
    before, after = arm_units(first, arm), arm_units(second, arm)
    if not (before.n and after.n) or before.kind != after.kind:
        return None
    change = difference_interval(after.values, before.values).estimate
    return estimated(change, unit=F1, of=f"{plural_of(before.kind)} in the smaller search")


def _differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[Json]:
    """Keys whose values differ, dotted; a key that one lacks is null there."""
    a, b = (_flat({key: m.get(key) for key in _COMPARED}) for m in (first, second))
    a["dataset"], b["dataset"] = (
        str((m.get("dataset") or {}).get("fingerprint"))[:12] for m in (first, second)
    )
    keys = dict.fromkeys([*a, *b])
    return [
        {"key": key, "first": a.get(key), "second": b.get(key)}
        for key in keys
        if a.get(key) != b.get(key)
    ]


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    leaves: dict[str, Any] = {}
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            leaves.update(_flat(value, f"{name}."))
        else:
            leaves[name] = value
    return leaves
