"""Two searches compared: which settings differ, and how each arm's score changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analysis import formats
from analysis.estimators.welch import difference_interval
from analysis.formats import general, listing, points
from analysis.inputs.search import Search
from analysis.inputs.units import arm_units
from analysis.outputs.terminal import interval, paragraph, table
from analysis.report.document import build
from analysis.report.quantities import F1, Json, estimated, plain
from analysis.report.reading import typed, typed_quantity
from analysis.report.schema import Report
from analysis.settings import Settings
from fer_tune.escaping import readable

#: Keys of the manifest that are compared.
_COMPARED = ("space", "versions", "hardware")


def contrast(first: Search, second: Search, settings: Settings | None = None) -> Json:
    """Verdicts of both, differing settings, and per common arm second minus first.

    The difference has Welch's interval over the units of each search. With one study each it is
    between the two configurations found, whose choice is partly luck, and does not show the effect
    of a setting. No difference is given where the data or the units of analysis differ.
    """
    reports = [typed(build(search, settings)) for search in (first, second)]
    same_data = _same_data(first, second)
    common = [arm for arm in first.arms if arm in second.arms]
    found: Json = plain(
        {
            "searches": [
                {
                    "results": str(search.root),
                    "name": report.search.name,
                    "verdict": report.verdict.chip,
                    "sentence": report.verdict.sentence,
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
    """:func:`contrast` for a terminal, lines of at most 96 characters where tables allow."""
    found = readable(found)
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
        rows = [["setting", "A", "B"]]
        rows += [[d["key"], _short(d["first"]), _short(d["second"])] for d in found["differences"]]
        blocks.append(table(rows))
    else:
        blocks.append("Search space, versions and hardware are identical.")
    if found["arms"]:
        rows = [["test macro-F1", "A", "B", "B - A, points", "interval"]]
        blocks.append(table([*rows, *(_row(arm) for arm in found["arms"])]))
        blocks += [paragraph(note) for note in _notes(found)]
    for mark, key in (("A", "only_first"), ("B", "only_second")):
        if found[key]:
            blocks.append(f"Only in {mark}: {listing(found[key])}")
    return "\n\n".join(blocks)


def _notes(found: Json) -> list[str]:
    """How to read the differences."""
    notes = []
    if not found["same_data"]:
        notes.append("The datasets differ, so no difference of scores is given.")
    elif found["unit"] == "different":
        notes.append(
            "One search has several studies per arm and the other one, so no difference is given."
        )
    elif found["unit"] == "seed":
        notes.append(
            "The unit of analysis is the confirmation seed: B - A compares the two configurations "
            "found. Searches that differ in random seeds alone find different configurations, so "
            "the changed settings need not be the cause."
        )
    else:
        notes.append("The unit of analysis is the study: B - A is the effect of all changes.")
    broken = sorted({name for arm in found["arms"] for name in arm["broken"]})
    if broken:
        notes.append(f"Warning: failed checks in one of the searches: {'; '.join(broken)}.")
    return notes


def _broken(report: Report) -> list[str]:
    """Checks on the scores themselves, rather than on the comparison of arms."""
    wanted = ("choice", "leaks", "data", "units")
    return [
        check.name for check in report.validity if check.status == "broken" and check.id in wanted
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
        interval(typed_quantity(arm["first"])),
        interval(typed_quantity(arm["second"])),
        points(change["value"] if change else None, sign=True),
        ends,
    ]


def _short(value: object) -> str:
    text = general(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _score(report: Report, arm: str) -> Json | None:
    found = next(one.test_macro_f1 for one in report.arms if one.arm == arm)
    return found.model_dump() if found else None


def _change(first: Search, second: Search, arm: str) -> Json | None:
    before, after = arm_units(first, arm), arm_units(second, arm)
    if not (before.n and after.n) or before.kind != after.kind:
        return None
    change = difference_interval(after.values, before.values).estimate
    return estimated(change, unit=F1, of=f"{formats.units(before.kind)} in the smaller search")


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
