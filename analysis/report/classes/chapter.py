"""Results by class: F1, recall, precision, differences between arms, confusion matrices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from analysis import formats
from analysis.report.classes.confusion_figures import confusion_differences, confusions
from analysis.report.classes.figures import differences, f1_scores
from analysis.report.classes.schema import ClassDifference, ClassesPart, ClassPair, ClassScores
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
from analysis.report.presentation.cells import cell, estimate, pair_name
from analysis.report.schema import Report
from analysis.report.values import Known


@dataclass(frozen=True, kw_only=True)
class _Measure:
    """A score by class: its key, its name, its place."""

    key: str
    name: str
    of: Callable[[ClassScores], Known]


_F1 = _Measure(key="f1", name="F1", of=lambda row: row.f1)
_OTHERS = (
    _Measure(key="recall", name="Recall", of=lambda row: row.recall),
    _Measure(key="precision", name="Precision", of=lambda row: row.precision),
)


def chapter(report: Report) -> Chapter:
    """F1 with differences, then confusion matrices; before confirmation the lead alone."""
    section = report.classes
    return Chapter(
        name="classes",
        title="Results by class",
        lead=lead(section),
        blocks=_blocks(report, section) if section.arms else (),
    )


def _blocks(report: Report, section: ClassesPart) -> tuple[Block, ...]:
    unit = section.arms[0].classes[0].f1.of
    scores = Picture(drawing=f1_scores(report, section, unit), data=_scores(section, _F1, unit))
    others = tuple(
        block
        for measure in _OTHERS
        for block in (Heading(words=measure.name), _scores(section, measure, unit))
    )
    pairs = section.pairs
    compared = [Picture(drawing=differences(section), data=_differences(section))] if pairs else []
    return (
        Columns(parts=((scores,), tuple(compared))) if compared else scores,
        Fold(summary="Recall and precision by class", blocks=others),
        *_confusion(section, pairs),
    )


def _confusion(section: ClassesPart, pairs: Sequence[ClassPair]) -> tuple[Block, ...]:
    """Confusion matrices and the most frequent confusions in words."""
    heading = Heading(words="Confusion matrices")
    words = Bullets(items=tuple(taken_for(arm) for arm in section.arms))
    if len(pairs) == 1:
        difference = confusion_differences(section)
        return (heading, confusions(section), Columns(parts=((difference,), (words,))))
    more = (confusion_differences(section),) if pairs else ()
    return (heading, words, confusions(section), *more)


def _scores(section: ClassesPart, measure: _Measure, unit: str) -> Table:
    arms = section.arms
    heads = [arm.arm for arm in arms]
    return Table(
        name=f"classes-{measure.key}",
        label=f"{measure.name} by class",
        columns=(
            Column(name="class"),
            Column(name="test pictures", numeric=True),
            *(Column(name=head, numeric=True) for head in heads),
        ),
        rows=tuple(
            Row(
                cells=(
                    text(row.class_),
                    cell(row.test_pictures, formats.count),
                    *(estimate(measure.of(arm.classes[place]), formats.score) for arm in arms),
                )
            )
            for place, row in enumerate(section.classes)
        ),
        caption=f"{measure.name}, from 0 to 1: mean over {unit}; small print: 95 % interval over "
        f"{unit}.",
    )


def _differences(section: ClassesPart) -> Table:
    pairs = section.pairs
    levels = [row.f1.level for pair in pairs for row in pair.classes]
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
                strong=bool(row.found),
            )
            for pair in pairs
            for row in pair.classes
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


def _difference(row: ClassDifference) -> tuple[Cell, ...]:
    return (
        text(row.class_),
        estimate(row.f1, formats.signed_points),
        cell(row.f1_p_holm.value, formats.probability),
        estimate(row.recall, formats.signed_points),
        cell(row.recall_p_holm.value, formats.probability),
    )
