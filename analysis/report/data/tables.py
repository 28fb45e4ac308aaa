"""Tables and the figure of the chapter on the dataset."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure

from analysis import formats
from analysis.formats import MINUS
from analysis.report.presentation.blocks import Picture, Row, Table, columns, text
from analysis.report.presentation.cursor import At, Form, pair_name
from analysis.report.presentation.plotting import GREY, label_rows
from analysis.report.presentation.svg import INK, picture
from analysis.report.presentation.tables import value_table

PARTS = ("train", "validation", "test")
#: Fill and hatch of each split.
_FILLS = {"train": (INK, ""), "validation": ("none", "//"), "test": (GREY, "")}


def splits(data: At) -> Table:
    """Pictures by class and split."""
    rows = [
        Row(cells=(text(row["class"].value), *(row[part].cell(formats.count) for part in PARTS)))
        for row in data["classes"]
    ]
    rows.append(
        Row(
            cells=(text("all"), *(data["splits"][part].cell(formats.count) for part in PARTS)),
            strong=True,
        )
    )
    return Table(
        name="splits",
        label="Pictures by class and split",
        columns=columns("class", *PARTS, numeric=PARTS),
        rows=tuple(rows),
    )


def balance(data: At) -> Picture | None:
    """Share of each class in each split; None before the splits are known."""
    classes = list(data["classes"])
    known = [p for p in PARTS if classes and all(c[p].value is not None for c in classes)]
    if not known:
        return None
    totals = {part: sum(c[part].value for c in classes) or 1 for part in known}
    shares = {part: [c[part].value / totals[part] for c in classes] for part in known}
    names = [c["class"].value for c in classes]

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


def scores(report: At) -> Table | None:
    """Each arm on all and on clean pictures; None before confirmation."""
    changes = {row["arm"].value: row["change"] for row in report["data"]["scores"]}
    arms = [arm for arm in report["arms"] if arm["arm"].value in changes]
    if not arms:
        return None
    of = next(iter(changes.values()))["of"].value
    numeric = ("all pictures", "clean pictures", f"clean {MINUS} all, points")
    return Table(
        name="data-scores",
        label="Test macro-F1 on all and on clean pictures",
        columns=columns("arm", *numeric, numeric=numeric),
        rows=tuple(
            Row(
                cells=(
                    text(arm["arm"].value),
                    arm["test_macro_f1"].estimate(formats.score),
                    arm["test_clean_macro_f1"].estimate(formats.score),
                    changes[arm["arm"].value].estimate(formats.signed_points),
                )
            )
            for arm in arms
        ),
        caption=f"95 % intervals over {of}. The change is paired within {of}, so it is more "
        "precise than either score.",
    )


def subsets(data: At) -> Table | None:
    """Accuracy on leaked and on conflicting pictures alone; None where there are none."""
    rows = list(data["subsets"])
    if not any(row["subset"].value != "clean" for row in rows):
        return None
    numeric = ("pictures", "accuracy", f"accuracy {MINUS} clean, points")
    return Table(
        name="data-subsets",
        label="Accuracy by subset of the test split",
        columns=columns("arm", "test pictures", *numeric, numeric=numeric),
        rows=tuple(
            Row(
                cells=(
                    text(row["arm"].value),
                    text(row["subset"].value),
                    row["pictures"].cell(formats.count),
                    row["accuracy"].estimate(
                        formats.score, small="" if row["accuracy"] else "too few"
                    ),
                    row["against_clean"].estimate(formats.signed_points),
                )
            )
            for row in rows
        ),
        caption="95 % intervals over pictures with the models fixed. Accuracy, because a small "
        "subset may lack classes; subsets of fewer than 20 pictures have no score. A picture may "
        "be both leaked and conflicting.",
        tall=len(rows) > 12,
    )


def verdicts(data: At) -> Table | None:
    """Verdicts on all and on clean pictures; None where no pair has scores."""
    rows = list(data["verdicts"])
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
                    row["difference"].estimate(formats.signed_points),
                    row["clean_difference"].estimate(formats.signed_points),
                    row["change"].estimate(formats.signed_points),
                    text(row["all"].value),
                    text(_on_clean(row)),
                )
            )
            for row in rows
        ),
        caption="Both by the same decision table; the verdict of the report is that on all "
        "pictures.",
        tall=len(rows) > 12,
    )


def _on_clean(row: At) -> str:
    kind = row["clean"].value
    if kind is None:
        return "no interval"
    turned = row["clean_first"].value != row["first"].value
    return f"{kind}, {row['clean_first'].value} higher" if turned else str(kind)
