"""The first screen below the verdict: arms, scores with intervals, validity checks."""

from __future__ import annotations

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
from analysis.report.presentation.cursor import At, Form, pair_name
from analysis.report.presentation.plotting import GREY, Look, draw_estimate, label_rows, look
from analysis.report.presentation.svg import INK, picture
from analysis.report.presentation.tables import value_table

_STATUS: dict[str, str] = {"pass": "✓ passed", "warn": "! warning", "broken": "✗ failed"}


def opening(report: At) -> tuple[Block, ...]:
    """The blocks of the first screen; the templates put the verdict above them."""
    blocks: list[Block] = []
    checks = _validity(report)
    if report["arms"]:
        blocks.append(_arms(report))
        forest = _forest(report)
        if forest:
            return (*blocks, Columns(parts=((forest,), checks)))
    return (*blocks, *checks)


# -- arms -----------------------------------------------------------------------------------


def _arms(report: At) -> Table:
    arms, floors = list(report["arms"]), list(report["floors"])
    units = formats.units(report["search"]["unit"].value)
    metric = report["search"]["metric"].value
    resource = "accelerator" if _spent(arms, "accelerator") else "cpu"
    hours = {"accelerator": "accelerator-hours", "cpu": "CPU-hours"}[resource]
    names = ("test macro-F1", "clean test macro-F1", f"best validation {metric}", "trials ended")
    return Table(
        name="arms",
        label="Arms and floors",
        columns=columns("arm", *names, hours, "parameters"),
        rows=(
            *(_arm_row(arm, resource) for arm in arms),
            *(_floor_row(floor) for floor in floors),
        ),
        caption="Scores from 0 to 1. Small print: 95 % intervals, of arms over "
        f"{units}, of floors over test pictures. Hours: search + confirmation.",
    )


def _arm_row(arm: At, resource: str) -> Row:
    return Row(
        cells=(
            text(arm["arm"].value),
            arm["test_macro_f1"].estimate(formats.score),
            arm["test_clean_macro_f1"].estimate(formats.score),
            arm["best_validation"].estimate(formats.score),
            _trials(arm),
            _hours(arm, resource),
            arm["parameters"].cell(formats.millions),
        ),
        strong=True,
    )


def _floor_row(floor: At) -> Row:
    scores = (
        floor[key].estimate(formats.score) for key in ("test_macro_f1", "test_clean_macro_f1")
    )
    return Row(
        cells=(text(f"floor: {floor['label'].value}"), *scores, *(text("") for _ in range(4)))
    )


def _trials(arm: At) -> Cell:
    counts = arm["trials"]
    states = (
        f"{number} {state}" for state, number in counts.value.items() if number and state != "total"
    )
    return counts["total"].cell(formats.count, small=formats.listing(states))


def _hours(arm: At, resource: str) -> Cell:
    key = f"{resource}_hours"
    search, confirmation = (
        formats.hours(arm["cost"][phase][key]["value"].value)
        for phase in ("search", "confirmation")
    )
    return Cell(main=Shown(text=f"{search} + {confirmation}"))


def _spent(arms: list[At], resource: str) -> float:
    key = f"{resource}_hours"
    return sum(phase[key]["value"] or 0.0 for arm in arms for phase in arm["cost"].value.values())


# -- the checklist --------------------------------------------------------------------------


def _validity(report: At) -> tuple[Block, ...]:
    """Failures and warnings; the checks that passed, folded."""
    flagged = [check for check in report["validity"] if check["status"].value != "pass"]
    passed = [check for check in report["validity"] if check["status"].value == "pass"]
    blocks: list[Block] = []
    if flagged:
        blocks.append(_checks("validity", "Validity checks: failures and warnings", flagged))
    if passed:
        number = formats.plural(len(passed), "validity check")
        summary = f"{'The other' if flagged else 'All'} {number} passed"
        table = _checks("held", "Validity checks that passed", passed)
        blocks.append(Fold(summary=summary, blocks=(table,)))
    return tuple(blocks)


def _checks(name: str, label: str, checks: list[At]) -> Table:
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
                    text(_STATUS[check["status"].value], tone=tones[check["status"].value]),
                    text(check["name"].value),
                    text(check["detail"].value),
                )
            )
            for check in checks
        ),
    )


# -- the forest plot ------------------------------------------------------------------------


def _forest(report: At) -> Picture | None:
    """Differences of pairs above, scores of arms and floors below, each with its interval."""
    arms = [arm for arm in report["arms"] if arm["test_macro_f1"]]
    if not arms:
        return None
    pairs = [pair for pair in report["pairs"] if pair["difference"]]
    bound = report["verdict"]["smallest_effect"]["value"].value
    unit = arms[0]["unit"].value
    rows = len(arms) + len(report["floors"])

    def paint(figure: Figure) -> None:
        if pairs:
            top, bottom = figure.subplots(2, 1, height_ratios=[len(pairs) + 1.2, rows + 1])
            _differences(top, pairs, bound)
        else:
            bottom = figure.subplots()
        _scores(bottom, arms, list(report["floors"]))

    return picture(
        "forest",
        "Test scores and differences with intervals",
        (
            "Above: the difference in points with its interval; the shaded band is ± the "
            f"smallest effect of interest, {formats.points(bound)} points. Below: test"
            if pairs
            else "Test"
        )
        + f" macro-F1, a faint marker per {unit}, the mean and its 95 % interval over "
        f"{arms[0]['test_macro_f1']['of'].value}; floors with an interval over test pictures.",
        (6.4, 0.9 + 0.42 * rows + (1.0 + 0.5 * len(pairs) if pairs else 0)),
        paint,
        data=_forest_data(arms, list(report["floors"]), pairs),
    )


def _forest_data(arms: list[At], floors: list[At], pairs: list[At]) -> Table:
    def row(name: str, q: At) -> list[object]:
        return [name, *(q[key].value for key in ("value", "low", "high")), q["n"].value]

    entries = [row(arm["arm"].value, arm["test_macro_f1"]) for arm in arms]
    entries += [row(floor["label"].value, floor["test_macro_f1"]) for floor in floors]
    entries += [row(pair_name(pair), pair["difference"]) for pair in pairs]
    heads: dict[str, Form] = {
        "quantity": str,
        "macro-F1": formats.score,
        "low": formats.score,
        "high": formats.score,
        "n": formats.count,
    }
    return value_table("forest-data", "Scores and differences", heads, entries)


def _scores(axes: Axes, arms: list[At], floors: list[At]) -> None:
    for place, arm in enumerate(arms):
        style: Look = look(place)
        _estimate(axes, arm["test_macro_f1"], place, style.marker, style.colour)
        values = [unit["test_macro_f1"].value for unit in arm["units"]]
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
        _estimate(axes, floor["test_macro_f1"], place, "|", GREY)
    labels = [arm["arm"].value for arm in arms] + [floor["label"].value for floor in floors]
    label_rows(axes, labels, above=0.6)
    axes.set_xlabel("macro-F1 on the test split")


def _differences(axes: Axes, pairs: list[At], bound: float) -> None:
    axes.axvspan(-100 * bound, 100 * bound, color=GREY, alpha=0.18, lw=0)
    axes.axvline(0, color=INK, lw=1)
    for place, pair in enumerate(pairs):
        _estimate(axes, pair["difference"], place, "D", INK, scale=100)
    names = [pair_name(pair).replace(f" {MINUS}", f"\n{MINUS}") for pair in pairs]
    label_rows(axes, names, above=0.6)
    axes.set_xlabel("difference, points of test macro-F1")


def _estimate(
    axes: Axes, quantity: At, place: float, marker: str, colour: str, scale: float = 1
) -> None:
    edge = 2 * (marker == "|")
    draw_estimate(axes, quantity, place, marker, colour, scale=scale, width=2.5, ms=8, mew=edge)
