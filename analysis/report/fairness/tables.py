"""Tables of the chapter on fairness."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from analysis import formats
from analysis.report.fairness.schema import (
    ArmBudget,
    ArmChoices,
    Budget,
    ChosenStudy,
    ChosenValue,
    Condition,
    FairnessPart,
    ParameterRow,
    Place,
)
from analysis.report.presentation.blocks import Cell, Column, Row, Table, columns, text
from analysis.report.presentation.cells import cell, estimate, shown
from analysis.report.presentation.tables import arms_table
from analysis.report.schema import Report
from analysis.report.values import STATES, Int, Known, StateCounts

_END = {"low": "at the lower", "high": "at the upper"}


def budgets(fairness: FairnessPart) -> Table:
    """Budget of each arm: trials by state and cohort, epochs, hours."""
    arms = fairness.arms
    lines: dict[str, Callable[[ArmBudget], Cell]] = {
        "trials ended": _number(lambda arm: arm.total),
        "still running": lambda arm: cell(arm.running, formats.count),
        **{f"state: {state}": _in_state(of) for state, of in STATES.items()},
        "cohort: tpe": _number(lambda arm: arm.cohorts.tpe),
        "cohort: qmc": _number(lambda arm: arm.cohorts.qmc),
        "cohort: gp": _number(lambda arm: arm.cohorts.gp),
        "cohort: cmaes": _number(lambda arm: arm.cohorts.cmaes),
        "cohort: cqr": _number(lambda arm: arm.cohorts.cqr),
        "cohort: random": _number(lambda arm: arm.cohorts.random),
        "cohort: baseline": _number(lambda arm: arm.cohorts.baseline),
        "trained to the end": _number(lambda arm: arm.to_the_end),
        "trained in micro-batches": _number(lambda arm: arm.micro_batches),
        "epochs run": _number(lambda arm: arm.epochs_run),
        "epochs allowed": _number(lambda arm: arm.epochs_allowed),
        **_hours(fairness),
    }
    kept = {
        name: make
        for name, make in lines.items()
        if name in ("trials ended", "epochs run") or any(make(arm).main.value for arm in arms)
    }
    return arms_table(
        "fairness-budgets",
        "Budget by arm",
        arms,
        [arm.arm for arm in arms],
        kept,
        caption="The sampler learns most from trials that were trained to the end (complete or "
        "overfit). Micro-batches: memory ran out, and batch norm saw parts of a batch. Hours are "
        "those of the search without confirmation; rows of zeros are omitted.",
        strong=("trials ended",),
    )


def studies(fairness: FairnessPart) -> Table:
    """The same, study by study."""
    rows = fairness.studies
    states = {state: of for state, of in STATES.items() if any(of(row.states) for row in rows)}
    hours = _hours(fairness)
    names = ("study", "trials", *states, "to the end", "epochs run", "allowed", *hours)
    return Table(
        name="fairness-studies",
        label="Budget by study",
        columns=columns("arm", *names, numeric=names),
        rows=tuple(
            Row(
                cells=(
                    text(row.arm),
                    text(row.replicate),
                    cell(row.total, formats.count),
                    *(cell(of(row.states), formats.count) for of in states.values()),
                    cell(row.to_the_end, formats.count),
                    cell(row.epochs_run, formats.count),
                    cell(row.epochs_allowed, formats.count),
                    *(make(row) for make in hours.values()),
                )
            )
            for row in rows
        ),
        tall=len(rows) > 12,
    )


def conditions(report: Report) -> Table:
    """The conditions of each arm; identical ones in one column."""
    rows = report.fairness.conditions
    names = [row.name for row in rows]
    return _by_arm("fairness-conditions", "Conditions", "condition", names, report, rows)


def parameters(report: Report) -> Table:
    """Sampled and fixed parameters of each arm."""
    rows = report.fairness.parameters
    names = [row.parameter for row in rows]
    table = _by_arm("fairness-parameters", "Domains", "parameter", names, report, rows)
    conditional = [row.parameter for row in rows if row.conditional]
    note = formats.listing(conditional) or "none"
    return Table(
        name=table.name,
        label=table.label,
        columns=table.columns,
        rows=table.rows,
        caption=f"Conditional parameters, set arm by arm in the search space: {note}.",
    )


def _by_arm(
    name: str,
    label: str,
    head: str,
    names: Sequence[str],
    report: Report,
    rows: Sequence[Condition | ParameterRow],
) -> Table:
    arms = report.search.arms
    same = all(row.same for row in rows)
    if same:
        heads, cells = ["all arms"], [[row.values[arms[0]]] for row in rows]
    else:
        heads = [*arms, "identical"]
        cells = [[*(row.values[arm] for arm in arms), "yes" if row.same else "no"] for row in rows]
    return Table(
        name=name,
        label=label,
        columns=columns(head, *heads),
        rows=tuple(
            Row(
                cells=(
                    text(one),
                    *(
                        text(value or formats.NOTHING, tone="warn" if value == "no" else "")
                        for value in values
                    ),
                )
            )
            for one, values in zip(names, cells, strict=True)
        ),
    )


def failures(fairness: FairnessPart) -> Table | None:
    """Failed and diverged trials with reasons; None where there are none."""
    rows = fairness.failures
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
                    text(row.arm),
                    text(row.state),
                    text(row.reason or formats.NOTHING),
                    cell(row.trials, formats.count),
                    estimate(row.share, formats.percent),
                    text(_mostly(row.mostly)),
                )
            )
            for row in rows
        ),
        caption="Failed: the trial's process ended with an error; the traceback is in errors/ of "
        "the results folder. Oom: out of memory even with the fewest pictures that may be trained "
        "at once. Diverged: the loss was not finite, or far above that of a random guess.",
    )


def choices(report: Report, arm: ArmChoices, number: int) -> Table:
    """The chosen configurations of one arm, a column per study."""
    studies = arm.studies
    # Merged searches may have sampled different parameters.
    names = dict.fromkeys(p.parameter for study in studies for p in study.parameters)
    metric = report.search.metric
    heads: list[tuple[str, list[Cell]]] = [
        ("trial", [cell(study.trial, str, small=study.cohort) for study in studies]),
        (f"validation {metric}", [cell(study.value, formats.score) for study in studies]),
        ("best epoch", [cell(study.epoch, formats.count) for study in studies]),
    ]
    heads += [(name, [_value(study, name) for study in studies]) for name in names]
    return Table(
        name=f"fairness-choices-{number}",
        label=f"Chosen configurations of {arm.arm}",
        columns=(
            Column(name=arm.arm),
            *(Column(name=f"study {study.replicate}") for study in studies),
        ),
        rows=tuple(Row(cells=(text(head), *cells)) for head, cells in heads),
    )


def _value(study: ChosenStudy, name: str) -> Cell:
    found = [p for p in study.parameters if p.parameter == name]
    if not found:
        return text(formats.NOTHING)
    p = found[0]
    warned = p.end and not p.natural and not p.idle
    return Cell(
        main=shown(p.value, formats.general), small=_place(p), tone="warn" if warned else ""
    )


def _place(p: ChosenValue) -> str:
    if p.idle:
        return "no effect"
    if p.end:
        return f"{_END[p.end]} {'end' if p.natural else 'limit'}"
    if p.position is None:
        return ""
    return f"at {formats.percent(p.position)} of the domain"


def _mostly(place: Place | None) -> str:
    if not place or place.trials < 2:
        return formats.NOTHING
    return f"crop {place.crop_size}, depth {place.unfreeze_depth} ({place.trials})"


def _number(of: Callable[[Budget], Int | None]) -> Callable[[Budget], Cell]:
    return lambda budget: cell(of(budget), formats.count)


def _in_state(of: Callable[[StateCounts], Int]) -> Callable[[Budget], Cell]:
    return _number(lambda budget: of(budget.states))


def _hours(fairness: FairnessPart) -> dict[str, Callable[[Budget], Cell]]:
    """Columns or rows of hours, of the resources that were used."""
    hours: dict[str, Callable[[Budget], Known]] = {
        "accelerator-hours": lambda budget: budget.accelerator_hours,
        "CPU-hours": lambda budget: budget.cpu_hours,
    }
    return {
        name: _hour(of) for name, of in hours.items() if any(of(arm).value for arm in fairness.arms)
    }


def _hour(of: Callable[[Budget], Known]) -> Callable[[Budget], Cell]:
    return lambda budget: estimate(of(budget), formats.hours)
