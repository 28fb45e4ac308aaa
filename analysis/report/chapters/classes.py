"""Classes: which of them the arms recognise, where they differ, and what they take for what."""

from __future__ import annotations

from analysis import formats
from analysis.report.blocks import (
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
from analysis.report.chapters.class_figures import differences, f1_scores
from analysis.report.chapters.class_words import lead, taken_for
from analysis.report.chapters.confusion_figures import confusion_differences, confusions
from analysis.report.cursor import At

_WORDS = {"f1": "F1", "recall": "Recall", "precision": "Precision"}


def chapter(report: At) -> Chapter:
    """F1 with differences, then confusion; nothing but the lead before any confirmation."""
    section = report["classes"]
    return Chapter(
        name="classes",
        title="Classes",
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
    """In words and as matrices; a single difference beside the words."""
    heading = Heading(words="What is taken for what")
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
        caption=f"{_WORDS[key]}, from 0 to 1: mean over {unit}, in small print its 95 % interval "
        f"over {unit}.",
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
                cells=(*([text(_title(pair))] if several else []), *_difference(row)),
                strong=bool(row["found"]),
            )
            for pair in pairs
            for row in pair["classes"]
        ),
        caption=f"{'First minus second' if several else _title(pairs[0])}, in points. "
        + _joint(level)
        + "p-values are Holm's over all classes here, F1 and recall apart; they find a little "
        "more than the intervals do. Bold: a difference was found.",
    )


def _title(pair: At) -> str:
    return f"{pair['first'].value} {formats.MINUS} {pair['second'].value}"


def _joint(level: float | None) -> str:
    if level is None:
        return "No intervals: the units of an arm show no spread, or it has one alone. "
    return (
        f"Each interval alone covers with {100 * level:.3g} %, so that all of F1 (and all of "
        "recall) cover at once with 95 %. "
    )


def _difference(row: At) -> tuple[Cell, ...]:
    return (
        text(row["class"].value),
        row["f1"].estimate(_points),
        row["f1_p_holm"]["value"].cell(formats.probability),
        row["recall"].estimate(_points),
        row["recall_p_holm"]["value"].cell(formats.probability),
    )


def _points(value: float | None) -> str:
    return formats.points(value, sign=True)
