"""The first screen beneath the verdict: arms, the effect with its interval, the checklist."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis import formats
from analysis.formats import MINUS
from analysis.report.blocks import (
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
from analysis.report.cursor import At, Form
from analysis.report.plotting import GREY, Look, look
from analysis.report.rows import value_table
from analysis.report.svg import INK, draw

_STATUS: dict[str, str] = {"pass": "✓ holds", "warn": "! care", "broken": "✗ broken"}


def opening(report: At) -> tuple[Block, ...]:
    """The blocks of the first screen; the verdict itself stands above them."""
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
    unit = "seeds" if report["search"]["unit"].value == "seed" else "studies"
    metric = report["search"]["metric"].value
    resource = "accelerator" if _spent(arms, "accelerator") else "cpu"
    hours = {"accelerator": "accelerator-hours", "cpu": "CPU-hours"}[resource]
    names = ("test macro-F1", "on clean pictures", f"best validation {metric}", "trials ended")
    return Table(
        name="arms",
        label="Arms and floors",
        columns=columns("arm", *names, hours, "parameters"),
        rows=(
            *(_arm_row(arm, resource) for arm in arms),
            *(_floor_row(floor) for floor in floors),
        ),
        caption="Scores from 0 to 1. In small print 95 % intervals, of arms over "
        f"{unit}, of floors over test pictures. Hours: search + confirmation.",
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
    said = [
        f"{number} {state}" for state, number in counts.value.items() if number and state != "total"
    ]
    return counts["total"].cell(formats.count, small=formats.listing(said))


def _hours(arm: At, resource: str) -> Cell:
    stages = arm["cost"]
    key = f"{resource}_hours"
    search, confirmation = (
        formats.hours(stages[stage][key]["value"].value) for stage in ("search", "confirmation")
    )
    return Cell(main=Shown(text=f"{search} + {confirmation}"))


def _spent(arms: list[At], resource: str) -> float:
    key = f"{resource}_hours"
    return sum(stage[key]["value"] or 0.0 for arm in arms for stage in arm["cost"].value.values())


# -- the checklist --------------------------------------------------------------------------


def _validity(report: At) -> tuple[Block, ...]:
    """What does not hold in full; what holds, folded."""
    short = [check for check in report["validity"] if check["status"].value != "pass"]
    held = [check for check in report["validity"] if check["status"].value == "pass"]
    blocks: list[Block] = []
    if short:
        blocks.append(_checks("validity", "Validity: what does not hold, or not quite", short))
    if held:
        number = formats.plural(len(held), "validity check holds", "validity checks hold")
        summary = f"The other {number}" if short else f"All {number}"
        blocks.append(Fold(summary=summary, blocks=(_checks("held", "What holds", held),)))
    return tuple(blocks)


def _checks(name: str, label: str, checks: list[At]) -> Table:
    tones: dict[str, Tone] = {"pass": "pass", "warn": "warn", "broken": "broken"}
    return Table(
        name=name,
        label=label,
        columns=(
            Column(name="validity"),
            Column(name="what should hold"),
            Column(name="what was found"),
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
    """Scores of arms and floors above, differences of pairs below, each with its interval."""
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

    drawing = draw(
        "forest",
        "Scores and difference with intervals",
        (
            "Above: the difference in points with its interval; the shaded band is ± the "
            f"smallest effect of interest, {formats.points(bound)} points. Below: test"
            if pairs
            else "Test"
        )
        + f" macro-F1, a faint mark per {unit}, the mean and its 95 % interval over "
        f"{arms[0]['test_macro_f1']['of'].value}; floors with an interval over test pictures.",
        (6.4, 0.9 + 0.42 * rows + (1.0 + 0.5 * len(pairs) if pairs else 0)),
        paint,
    )
    return Picture(drawing=drawing, data=_forest_data(arms, list(report["floors"]), pairs))


def _forest_data(arms: list[At], floors: list[At], pairs: list[At]) -> Table:
    def row(name: str, q: At) -> list[object]:
        return [name, *(q[key].value for key in ("value", "low", "high")), q["n"].value]

    entries = [row(arm["arm"].value, arm["test_macro_f1"]) for arm in arms]
    entries += [row(floor["label"].value, floor["test_macro_f1"]) for floor in floors]
    entries += [
        row(f"{pair['first'].value} {MINUS} {pair['second'].value}", pair["difference"])
        for pair in pairs
    ]
    heads: dict[str, Form] = {
        "what": str,
        "macro-F1": formats.score,
        "low": formats.score,
        "high": formats.score,
        "n": formats.count,
    }
    return value_table("forest-data", "Scores and differences", heads, entries)


def _scores(axes: Axes, arms: list[At], floors: list[At]) -> None:
    for place, arm in enumerate(arms):
        style: Look = look(place)
        _interval(axes, arm["test_macro_f1"], place, style.colour, style.marker)
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
        _interval(axes, floor["test_macro_f1"], place, GREY, "|")
    labels = [arm["arm"].value for arm in arms] + [floor["label"].value for floor in floors]
    _rows(axes, labels)
    axes.set_xlabel("macro-F1 on the test split")


def _differences(axes: Axes, pairs: list[At], bound: float) -> None:
    axes.axvspan(-100 * bound, 100 * bound, color=GREY, alpha=0.18, lw=0)
    axes.axvline(0, color=INK, lw=1)
    for place, pair in enumerate(pairs):
        _interval(axes, pair["difference"], place, INK, "D", scale=100)
    _rows(axes, [f"{pair['first'].value}\n{MINUS} {pair['second'].value}" for pair in pairs])
    axes.set_xlabel("difference, points of test macro-F1")


def _interval(
    axes: Axes, quantity: At, place: float, colour: str, marker: str, scale: float = 1
) -> None:
    value, low, high = (quantity[key].value for key in ("value", "low", "high"))
    if low is not None:
        axes.plot([scale * low, scale * high], [place] * 2, color=colour, lw=2.5)
    axes.plot([scale * value], [place], marker, color=colour, ms=8, mew=2 * (marker == "|"))


def _rows(axes: Axes, labels: list[str]) -> None:
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0)
