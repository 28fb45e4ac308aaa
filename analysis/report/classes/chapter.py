"""Results by class: F1, recall, precision, differences between arms, confusion matrices."""

from __future__ import annotations

from analysis import formats
from analysis.report.classes.confusion_figures import confusion_differences, confusions
from analysis.report.classes.figures import differences, f1_scores
from analysis.report.classes.words import lead, taken_for
from analysis.report.presentation.blocks import (
    Block,
    Bullets,
    Cell,
    Chapter,
    Column,
    Columns,
    Fold,
    Heading,
    Picture,
    Row,
    Table,
    text,
)
from analysis.report.presentation.cursor import At, pair_name

_WORDS = {"f1": "F1", "recall": "Recall", "precision": "Precision"}


def chapter(report: At) -> Chapter:
    """F1 with differences, then confusion matrices; before confirmation the lead alone."""
    section = report["classes"]
    return Chapter(
        name="classes",
        title="Results by class",
        lead=lead(section),
        blocks=_blocks(report, section) if section["arms"] else (),
    )


def _blocks(report: At, section: At) -> tuple[Block, ...]:
    unit = section["arms"][0]["classes"][0]["f1"]["of"].value
    scores = Picture(drawing=f1_scores(report, section, unit), data=_scores(section, "f1", unit))
    others = tuple(
        block
        for key in ("recall", "precision")
        for block in (Heading(words=_WORDS[key]), _scores(section, key, unit))
    )
    pairs = list(section["pairs"])
    compared = [Picture(drawing=differences(section), data=_differences(section))] if pairs else []
    return (
        Columns(parts=((scores,), tuple(compared))) if compared else scores,
        Fold(summary="Recall and precision by class", blocks=others),
        *_confusion(section, pairs),
    )


def _confusion(section: At, pairs: list[At]) -> tuple[Block, ...]:
    """Confusion matrices and the most frequent confusions in words."""
    heading = Heading(words="Confusion matrices")
    words = Bullets(items=tuple(taken_for(arm) for arm in section["arms"]))
    if len(pairs) == 1:
        difference = confusion_differences(section)
        return (heading, confusions(section), Columns(parts=((difference,), (words,))))
    more = (confusion_differences(section),) if pairs else ()
    return (heading, words, confusions(section), *more)


def _scores(section: At, key: str, unit: str) -> Table:
    arms = list(section["arms"])
    heads = [arm["arm"].value for arm in arms]
    return Table(
        name=f"classes-{key}",
        label=f"{_WORDS[key]} by class",
        columns=(
            Column(name="class"),
            Column(name="test pictures", numeric=True),
            *(Column(name=head, numeric=True) for head in heads),
        ),
        rows=tuple(
            Row(
                cells=(
                    text(row["class"].value),
                    row["test_pictures"].cell(formats.count),
                    *(arm["classes"][place][key].estimate(formats.score) for arm in arms),
                )
            )
            for place, row in enumerate(section["classes"])
        ),
        caption=f"{_WORDS[key]}, from 0 to 1: mean over {unit}; small print: 95 % interval over "
        f"{unit}.",
    )


def _differences(section: At) -> Table:
    pairs = list(section["pairs"])
    levels = [row["f1"]["level"].value for pair in pairs for row in pair["classes"]]
    level = next((one for one in levels if one is not None), None)
    several = len(pairs) > 1
    names = ("F1", "p", "recall", "p of recall")
    return Table(
        name="classes-differences",
        label="Differences by class",
        columns=(
            *([Column(name="pair")] if several else []),
            Column(name="class"),
            *(Column(name=name, numeric=True) for name in names),
        ),
        rows=tuple(
            Row(
                cells=(*([text(pair_name(pair))] if several else []), *_difference(row)),
                strong=bool(row["found"]),
            )
            for pair in pairs
            for row in pair["classes"]
        ),
        caption=f"{'First minus second' if several else pair_name(pairs[0])}, in points. "
        + _joint(level)
        + "p-values are adjusted by Holm over all classes shown, separately for F1 and recall; "
        "they are slightly more powerful than the intervals. Bold: significant difference.",
    )


def _joint(level: float | None) -> str:
    if level is None:
        return "No intervals: an arm has a single unit, or its units do not vary. "
    return (
        f"Each interval is at {100 * level:.3g} %, so that all of F1 (and all of recall) cover "
        "jointly at 95 %. "
    )


def _difference(row: At) -> tuple[Cell, ...]:
    return (
        text(row["class"].value),
        row["f1"].estimate(formats.signed_points),
        row["f1_p_holm"]["value"].cell(formats.probability),
        row["recall"].estimate(formats.signed_points),
        row["recall_p_holm"]["value"].cell(formats.probability),
    )
