"""Tables and the figure of the chapter on the dataset."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from matplotlib.figure import Figure

from analysis import formats
from analysis.formats import MINUS
from analysis.report.data.schema import ClassSplits, CleanVerdict, DataPart, SplitSizes
from analysis.report.presentation.blocks import Picture, Row, Table, columns, text
from analysis.report.presentation.cells import Form, cell, estimate, pair_name
from analysis.report.presentation.plotting import GREY, label_rows
from analysis.report.presentation.svg import INK, picture
from analysis.report.presentation.tables import value_table
from analysis.report.schema import Report
from analysis.report.values import Int

PARTS = ("train", "validation", "test")
#: Fill and hatch of each split.
_FILLS = {"train": (INK, ""), "validation": ("none", "//"), "test": (GREY, "")}


def by_split(row: ClassSplits | SplitSizes) -> tuple[Int | None, ...]:
    """Pictures by split, in the order of :data:`PARTS`."""
    return row.train, row.validation, row.test


def splits(data: DataPart) -> Table:
    """Pictures by class and split."""
    rows = [
        Row(cells=(text(row.class_), *(cell(n, formats.count) for n in by_split(row))))
        for row in data.classes
    ]
    rows.append(
        Row(
            cells=(text("all"), *(cell(n, formats.count) for n in by_split(data.splits))),
            strong=True,
        )
    )
    return Table(
        name="splits",
        label="Pictures by class and split",
        columns=columns("class", *PARTS, numeric=PARTS),
        rows=tuple(rows),
    )


def balance(data: DataPart) -> Picture | None:
    """Share of each class in each split; None before the splits are known."""
    names = [row.class_ for row in data.classes]
    shares = {
        part: _shares(number for number in numbers if number is not None)
        for part, numbers in zip(
            PARTS, zip(*map(by_split, data.classes), strict=True), strict=False
        )
        if None not in numbers
    }
    known = list(shares)
    if not known:
        return None

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        height = 0.8 / len(known)
        for number, part in enumerate(known):
            fill, hatch = _FILLS[part]
            places = [k + (number - (len(known) - 1) / 2) * height for k in range(len(names))]
            widths = [100 * share for share in shares[part]]
            axes.barh(
                places,
                widths,
                height,
                facecolor=fill,
                hatch=hatch,
                edgecolor=INK,
                lw=0.8,
                label=part,
            )
        label_rows(axes, names, grid=False)
        axes.set_xlabel("share of the split, %")
        figure.legend(loc="outside upper left", ncols=3, fontsize=9)

    heads: Mapping[str, Form] = {"class": str, **dict.fromkeys(known, formats.percent)}
    rows = [[name, *(shares[part][k] for part in known)] for k, name in enumerate(names)]
    return picture(
        "data-balance",
        "Class balance by split",
        "Share of each class among the pictures of each split.",
        (6.4, 1.1 + 0.42 * len(names)),
        paint,
        data=value_table("data-balance-data", "Class balance", heads, rows),
        wide=False,
    )


def _shares(numbers: Iterable[int]) -> list[float]:
    counts = list(numbers)
    total = sum(counts) or 1
    return [number / total for number in counts]


def scores(report: Report) -> Table | None:
    """Each arm on all and on clean pictures; None before confirmation."""
    changes = {row.arm: row.change for row in report.data.scores}
    arms = [arm for arm in report.arms if arm.arm in changes]
    if not arms:
        return None
    of = next(iter(changes.values())).of
    numeric = ("all pictures", "clean pictures", f"clean {MINUS} all, points")
    return Table(
        name="data-scores",
        label="Test macro-F1 on all and on clean pictures",
        columns=columns("arm", *numeric, numeric=numeric),
        rows=tuple(
            Row(
                cells=(
                    text(arm.arm),
                    estimate(arm.test_macro_f1, formats.score),
                    estimate(arm.test_clean_macro_f1, formats.score),
                    estimate(changes[arm.arm], formats.signed_points),
                )
            )
            for arm in arms
        ),
        caption=f"95 % intervals over {of}. The change is paired within {of}, so it is more "
        "precise than either score.",
    )


def subsets(data: DataPart) -> Table | None:
    """Accuracy on leaked and on conflicting pictures alone; None where there are none."""
    rows = data.subsets
    if not any(row.subset != "clean" for row in rows):
        return None
    numeric = ("pictures", "accuracy", f"accuracy {MINUS} clean, points")
    return Table(
        name="data-subsets",
        label="Accuracy by subset of the test split",
        columns=columns("arm", "test pictures", *numeric, numeric=numeric),
        rows=tuple(
            Row(
                cells=(
                    text(row.arm),
                    text(row.subset),
                    cell(row.pictures, formats.count),
                    estimate(row.accuracy, formats.score, small="" if row.accuracy else "too few"),
                    estimate(row.against_clean, formats.signed_points),
                )
            )
            for row in rows
        ),
        caption="95 % intervals over pictures with the models fixed. Accuracy, because a small "
        "subset may lack classes; subsets of fewer than 20 pictures have no score. A picture may "
        "be both leaked and conflicting.",
        tall=len(rows) > 12,
    )


def verdicts(data: DataPart) -> Table | None:
    """Verdicts on all and on clean pictures; None where no pair has scores."""
    rows = data.verdicts
    if not rows:
        return None
    numeric = ("on all, points", "on clean, points", "change, points")
    return Table(
        name="data-verdicts",
        label="The difference on all and on clean pictures",
        columns=columns("pair", *numeric, "verdict", "on clean pictures alone", numeric=numeric),
        rows=tuple(
            Row(
                cells=(
                    text(pair_name(row)),
                    estimate(row.difference, formats.signed_points),
                    estimate(row.clean_difference, formats.signed_points),
                    estimate(row.change, formats.signed_points),
                    text(row.all),
                    text(_on_clean(row)),
                )
            )
            for row in rows
        ),
        caption="Both by the same decision table; the verdict of the report is that on all "
        "pictures.",
        tall=len(rows) > 12,
    )


def _on_clean(row: CleanVerdict) -> str:
    kind = row.clean
    if kind is None:
        return "no interval"
    turned = row.clean_first != row.first
    return f"{kind}, {row.clean_first} higher" if turned else str(kind)
