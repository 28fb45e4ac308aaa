"""Tables of the chapter on fairness."""

from __future__ import annotations

from collections.abc import Callable

from analysis import formats
from analysis.report.presentation.blocks import Cell, Column, Row, Table, columns, text
from analysis.report.presentation.cursor import At
from analysis.report.presentation.tables import arms_table

_END = {"low": "at the lower", "high": "at the upper"}


def budgets(fairness: At) -> Table:
    """Budget of each arm: trials by state and cohort, epochs, hours."""
    arms = list(fairness["arms"])
    lines: dict[str, Callable[[At], Cell]] = {
        "trials ended": _number("total"),
        "still running": _number("running"),
        **{f"state: {state}": _number("states", state) for state in arms[0]["states"].value},
        **{f"cohort: {cohort}": _number("cohorts", cohort) for cohort in arms[0]["cohorts"].value},
        "trained to the end": _number("to_the_end"),
        **_micro_batches(arms[0]),
        "epochs run": _number("epochs_run"),
        "epochs allowed": _number("epochs_allowed"),
        **_hours(fairness),
    }
    shown = {
        name: make
        for name, make in lines.items()
        if name in ("trials ended", "epochs run") or any(make(arm).main.value for arm in arms)
    }
    return arms_table(
        "fairness-budgets",
        "Budget by arm",
        arms,
        [arm["arm"].value for arm in arms],
        shown,
        caption="The sampler learns most from trials that were trained to the end (complete or "
        "overfit). Micro-batches: memory ran out, and batch norm saw parts of a batch. Hours are "
        "those of the search without confirmation; rows of zeros are omitted.",
        strong=("trials ended",),
    )


def studies(fairness: At) -> Table:
    """The same, study by study."""
    rows = list(fairness["studies"])
    states = [
        state
        for state in rows[0]["states"].value
        if any(row["states"][state].value for row in rows)
    ]
    hours = _hours(fairness)
    names = ("study", "trials", *states, "to the end", "epochs run", "allowed", *hours)
    return Table(
        name="fairness-studies",
        label="Budget by study",
        columns=columns("arm", *names, numeric=names),
        rows=tuple(
            Row(
                cells=(
                    text(row["arm"].value),
                    text(row["replicate"].value),
                    row["total"].cell(formats.count),
                    *(row["states"][state].cell(formats.count) for state in states),
                    row["to_the_end"].cell(formats.count),
                    row["epochs_run"].cell(formats.count),
                    row["epochs_allowed"].cell(formats.count),
                    *(make(row) for make in hours.values()),
                )
            )
            for row in rows
        ),
        tall=len(rows) > 12,
    )


def conditions(report: At) -> Table:
    """The conditions of each arm; identical ones in one column."""
    rows = list(report["fairness"]["conditions"])
    return _by_arm("fairness-conditions", "Conditions", "condition", "name", report, rows)


def parameters(report: At) -> Table:
    """Sampled and fixed parameters of each arm."""
    rows = list(report["fairness"]["parameters"])
    table = _by_arm("fairness-parameters", "Domains", "parameter", "parameter", report, rows)
    conditional = [row["parameter"].value for row in rows if row["conditional"].value]
    note = formats.listing(conditional) or "none"
    return Table(
        name=table.name,
        label=table.label,
        columns=table.columns,
        rows=table.rows,
        caption=f"Conditional parameters, set arm by arm in the search space: {note}.",
    )


def _by_arm(name: str, label: str, head: str, key: str, report: At, rows: list[At]) -> Table:
    arms = report["search"]["arms"].value
    same = all(row["same"].value for row in rows)
    if same:
        heads, cells = ["all arms"], [[row["values"][arms[0]].value] for row in rows]
    else:
        heads = [*arms, "identical"]
        cells = [
            [*(row["values"][arm].value for arm in arms), "yes" if row["same"].value else "no"]
            for row in rows
        ]
    return Table(
        name=name,
        label=label,
        columns=columns(head, *heads),
        rows=tuple(
            Row(
                cells=(
                    text(row[key].value),
                    *(
                        text(value or formats.NOTHING, tone="warn" if value == "no" else "")
                        for value in values
                    ),
                )
            )
            for row, values in zip(rows, cells, strict=True)
        ),
    )


def failures(fairness: At) -> Table | None:
    """Failed and diverged trials with reasons; None where there are none."""
    rows = list(fairness["failures"])
    if not rows:
        return None
    numeric = ("trials", "share of arm")
    return Table(
        name="fairness-failures",
        label="Failed and diverged trials",
        columns=columns(
            "arm", "state", "recorded reason", *numeric, "most frequent at", numeric=numeric
        ),
        rows=tuple(
            Row(
                cells=(
                    text(row["arm"].value),
                    text(row["state"].value),
                    text(row["reason"].value or formats.NOTHING),
                    row["trials"].cell(formats.count),
                    row["share"].estimate(formats.percent),
                    text(_mostly(row["mostly"])),
                )
            )
            for row in rows
        ),
        caption="Failed: the trial's process ended with an error; the traceback is in errors/ of "
        "the results folder. Oom: out of memory even with the fewest pictures that may be trained "
        "at once. Diverged: the loss was not finite, or far above that of a random guess.",
    )


def choices(report: At, arm: At, number: int) -> Table:
    """The chosen configurations of one arm, a column per study."""
    studies = list(arm["studies"])
    # Merged searches may have sampled different parameters.
    names = dict.fromkeys(p["parameter"].value for study in studies for p in study["parameters"])
    metric = report["search"]["metric"].value
    heads: list[tuple[str, list[Cell]]] = [
        ("trial", [study["trial"].cell(str, small=study["cohort"].value) for study in studies]),
        (f"validation {metric}", [study["value"].cell(formats.score) for study in studies]),
        ("best epoch", [study["epoch"].cell(formats.count) for study in studies]),
    ]
    heads += [(name, [_value(study, name) for study in studies]) for name in names]
    return Table(
        name=f"fairness-choices-{number}",
        label=f"Chosen configurations of {arm['arm'].value}",
        columns=(
            Column(name=arm["arm"].value),
            *(Column(name=f"study {study['replicate'].value}") for study in studies),
        ),
        rows=tuple(Row(cells=(text(head), *cells)) for head, cells in heads),
    )


def _value(study: At, name: str) -> Cell:
    found = [p for p in study["parameters"] if p["parameter"].value == name]
    if not found:
        return text(formats.NOTHING)
    p = found[0]
    cell = p["value"].cell(formats.general, small=_place(p))
    warned = p["end"].value and not p["natural"].value and not p["idle"].value
    return Cell(main=cell.main, small=cell.small, tone="warn" if warned else "")


def _place(p: At) -> str:
    if p["idle"].value:
        return "no effect"
    if p["end"].value:
        return f"{_END[p['end'].value]} {'end' if p['natural'].value else 'limit'}"
    if p["position"].value is None:
        return ""
    return f"at {formats.percent(p['position'].value)} of the domain"


def _mostly(place: At) -> str:
    if not place or place["trials"].value < 2:
        return formats.NOTHING
    return (
        f"crop {place['crop_size'].value}, depth {place['unfreeze_depth'].value} "
        f"({place['trials'].value})"
    )


def _micro_batches(arm: At) -> dict[str, Callable[[At], Cell]]:
    """The row of trials in micro-batches, where the records know of them."""
    if "micro_batches" not in arm.value:
        return {}
    return {"trained in micro-batches": _number("micro_batches")}


def _number(*path: str) -> Callable[[At], Cell]:
    def cell(arm: At) -> Cell:
        for key in path:
            arm = arm[key]
        return arm.cell(formats.count)

    return cell


def _hours(fairness: At) -> dict[str, Callable[[At], Cell]]:
    """Columns or rows of hours, of the resources that were used."""
    wanted = {"accelerator-hours": "accelerator_hours", "CPU-hours": "cpu_hours"}
    return {
        name: _hour(key)
        for name, key in wanted.items()
        if any(arm[key]["value"].value for arm in fairness["arms"])
    }


def _hour(key: str) -> Callable[[At], Cell]:
    return lambda row: row[key].estimate(formats.hours)
