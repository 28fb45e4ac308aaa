"""The first screen below the verdict: arms, scores with intervals, validity checks."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis import formats
from analysis.formats import MINUS
from analysis.report.presentation.blocks import (
    Block,
    Cell,
    Column,
    Columns,
    Fold,
    Picture,
    Row,
    Shown,
    Table,
    Tone,
    columns,
    text,
)
from analysis.report.presentation.cells import Form, cell, estimate, pair_name
from analysis.report.presentation.plotting import GREY, Look, draw_estimate, label_rows, look
from analysis.report.presentation.svg import INK, picture
from analysis.report.presentation.tables import value_table
from analysis.report.schema import Arm, FloorPart, Report
from analysis.report.values import Known
from analysis.report.verdict.schema import CheckPart

_STATUS: dict[str, str] = {"pass": "✓ passed", "warn": "! warning", "broken": "✗ failed"}


def opening(report: Report) -> tuple[Block, ...]:
    """The blocks of the first screen; the templates put the verdict above them."""
    blocks: list[Block] = []
    checks = _validity(report)
    if report.arms:
        blocks.append(_arms(report))
        forest = _forest(report)
        if forest:
            return (*blocks, Columns(parts=((forest,), checks)))
    return (*blocks, *checks)


# -- arms -----------------------------------------------------------------------------------


def _arms(report: Report) -> Table:
    arms, floors = report.arms, report.floors
    units = formats.units(report.search.unit)
    metric = report.search.metric
    accelerated = any(map(_accelerated, arms))
    hours = "accelerator-hours" if accelerated else "CPU-hours"
    names = ("test macro-F1", "clean test macro-F1", f"best validation {metric}", "trials ended")
    return Table(
        name="arms",
        label="Arms and floors",
        columns=columns("arm", *names, hours, "parameters"),
        rows=(
            *(_arm_row(arm, accelerated=accelerated) for arm in arms),
            *(_floor_row(floor) for floor in floors),
        ),
        caption="Scores from 0 to 1. Small print: 95 % intervals, of arms over "
        f"{units}, of floors over test pictures. Hours: search + confirmation.",
    )


def _arm_row(arm: Arm, *, accelerated: bool) -> Row:
    return Row(
        cells=(
            text(arm.arm),
            estimate(arm.test_macro_f1, formats.score),
            estimate(arm.test_clean_macro_f1, formats.score),
            estimate(arm.best_validation, formats.score),
            _trials(arm),
            _hours(arm, accelerated=accelerated),
            cell(arm.parameters, formats.millions),
        ),
        strong=True,
    )


def _floor_row(floor: FloorPart) -> Row:
    scores = (
        estimate(score, formats.score) for score in (floor.test_macro_f1, floor.test_clean_macro_f1)
    )
    return Row(cells=(text(f"floor: {floor.label}"), *scores, *(text("") for _ in range(4))))


def _trials(arm: Arm) -> Cell:
    counts = arm.trials
    states = (f"{number} {state}" for state, number in counts.by_state.items() if number)
    return cell(counts.total, formats.count, small=formats.listing(states))


def _hours(arm: Arm, *, accelerated: bool) -> Cell:
    search, confirmation = (
        formats.hours((spent.accelerator_hours if accelerated else spent.cpu_hours).value)
        for spent in (arm.cost.search, arm.cost.confirmation)
    )
    return Cell(main=Shown(text=f"{search} + {confirmation}"))


def _accelerated(arm: Arm) -> bool:
    """Whether any of its runs held an accelerator."""
    spent = (arm.cost.search, arm.cost.confirmation)
    return any(phase.accelerator_hours.value for phase in spent)


# -- the checklist --------------------------------------------------------------------------


def _validity(report: Report) -> tuple[Block, ...]:
    """Failures and warnings; the checks that passed, folded."""
    flagged = [check for check in report.validity if check.status != "pass"]
    passed = [check for check in report.validity if check.status == "pass"]
    blocks: list[Block] = []
    if flagged:
        blocks.append(_checks("validity", "Validity checks: failures and warnings", flagged))
    if passed:
        number = formats.plural(len(passed), "validity check")
        summary = f"{'The other' if flagged else 'All'} {number} passed"
        table = _checks("held", "Validity checks that passed", passed)
        blocks.append(Fold(summary=summary, blocks=(table,)))
    return tuple(blocks)


def _checks(name: str, label: str, checks: Sequence[CheckPart]) -> Table:
    tones: dict[str, Tone] = {"pass": "pass", "warn": "warn", "broken": "broken"}
    return Table(
        name=name,
        label=label,
        columns=(
            Column(name="validity"),
            Column(name="check"),
            Column(name="finding"),
        ),
        rows=tuple(
            Row(
                cells=(
                    text(_STATUS[check.status], tone=tones[check.status]),
                    text(check.name),
                    text(check.detail),
                )
            )
            for check in checks
        ),
    )


# -- the forest plot ------------------------------------------------------------------------


def _forest(report: Report) -> Picture | None:
    """Differences of pairs above, scores of arms and floors below, each with its interval."""
    arms = [(arm, arm.test_macro_f1) for arm in report.arms if arm.test_macro_f1]
    if not arms:
        return None
    pairs = [(pair_name(pair), pair.difference) for pair in report.pairs if pair.difference]
    bound = report.verdict.smallest_effect.value
    first, score = arms[0]
    rows = len(arms) + len(report.floors)

    def paint(figure: Figure) -> None:
        if pairs:
            top, bottom = figure.subplots(2, 1, height_ratios=[len(pairs) + 1.2, rows + 1])
            _differences(top, pairs, bound)
        else:
            bottom = figure.subplots()
        _scores(bottom, arms, report.floors)

    return picture(
        "forest",
        "Test scores and differences with intervals",
        (
            "Above: the difference in points with its interval; the shaded band is ± the "
            f"smallest effect of interest, {formats.points(bound)} points. Below: test"
            if pairs
            else "Test"
        )
        + f" macro-F1, a faint marker per {first.unit}, the mean and its 95 % interval over "
        f"{score.of}; floors with an interval over test pictures.",
        (6.4, 0.9 + 0.42 * rows + (1.0 + 0.5 * len(pairs) if pairs else 0)),
        paint,
        data=_forest_data(arms, report.floors, pairs),
    )


def _forest_data(
    arms: Sequence[tuple[Arm, Known]],
    floors: Sequence[FloorPart],
    pairs: Sequence[tuple[str, Known]],
) -> Table:
    named = [(arm.arm, score) for arm, score in arms]
    named += [(floor.label, floor.test_macro_f1) for floor in floors]
    entries = [[name, *score.span, score.n] for name, score in (*named, *pairs)]
    heads: dict[str, Form] = {
        "quantity": str,
        "macro-F1": formats.score,
        "low": formats.score,
        "high": formats.score,
        "n": formats.count,
    }
    return value_table("forest-data", "Scores and differences", heads, entries)


def _scores(axes: Axes, arms: Sequence[tuple[Arm, Known]], floors: Sequence[FloorPart]) -> None:
    for place, (arm, score) in enumerate(arms):
        style: Look = look(place)
        _estimate(axes, score, place, style.marker, style.colour)
        values = [unit.test_macro_f1 for unit in arm.units]
        axes.plot(
            values,
            [place + 0.27] * len(values),
            style.marker,
            color=style.colour,
            ms=4.5,
            alpha=0.5,
            mew=0,
        )
    for place, floor in enumerate(floors, start=len(arms)):
        _estimate(axes, floor.test_macro_f1, place, "|", GREY)
    labels = [*(arm.arm for arm, _ in arms), *(floor.label for floor in floors)]
    label_rows(axes, labels, above=0.6)
    axes.set_xlabel("macro-F1 on the test split")


def _differences(axes: Axes, pairs: Sequence[tuple[str, Known]], bound: float) -> None:
    axes.axvspan(-100 * bound, 100 * bound, color=GREY, alpha=0.18, lw=0)
    axes.axvline(0, color=INK, lw=1)
    for place, (_, difference) in enumerate(pairs):
        _estimate(axes, difference, place, "D", INK, scale=100)
    names = [name.replace(f" {MINUS}", f"\n{MINUS}") for name, _ in pairs]
    label_rows(axes, names, above=0.6)
    axes.set_xlabel("difference, points of test macro-F1")


def _estimate(
    axes: Axes, quantity: Known, place: float, marker: str, colour: str, scale: float = 1
) -> None:
    edge = 2 * (marker == "|")
    draw_estimate(axes, quantity, place, marker, colour, scale=scale, width=2.5, ms=8, mew=edge)
