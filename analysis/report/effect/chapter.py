"""Effect size: the difference, alternative analyses, the decision, selection optimism."""

from __future__ import annotations

from analysis.report.effect import figures as effect_figures
from analysis.report.effect import scores as effect_scores
from analysis.report.effect import tables as effect_tables
from analysis.report.effect.words import lead
from analysis.report.presentation.blocks import (
    Block,
    Bullets,
    Chapter,
    Columns,
    Fold,
    Heading,
    Picture,
    Table,
    Text,
)
from analysis.report.schema import Report


def chapter(report: Report) -> Chapter:
    """The effect; before confirmation a lead alone."""
    scored = any(arm.test_macro_f1 for arm in report.arms)
    blocks = (
        (
            *_difference(report),
            *_decided(report),
            *_arms(report),
            *_optimism(report),
            *_checkpoints(report),
        )
        if scored
        else ()
    )
    return Chapter(name="effect", title="Effect size", lead=lead(report), blocks=blocks)


def _difference(report: Report) -> tuple[Block, ...]:
    if not any(pair.difference for pair in report.pairs):
        return ()
    many = len(report.pairs) > 1
    analyses = effect_tables.opinions(report)
    reading = Fold(
        summary="Assumptions of the analyses",
        blocks=(
            Bullets(
                items=(
                    "Welch's t test allows unequal variances and assumes that the scores of units "
                    "are approximately normal.",
                    "The BCa bootstrap resamples the units and assumes no distribution. With few "
                    "units its intervals are too narrow: between identical arms they excluded zero "
                    "in about 14 % of simulations with 5 units per arm, in 8 % with 10. With fewer "
                    "than 5 it is not counted.",
                    "The permutation test assigns the units to the arms at random and counts how "
                    "often the difference is at least as large. With few units only a few p-values "
                    "are possible, and the smallest may be above 5 %.",
                    "Clean pictures exclude those that were leaked or have conflicting labels. "
                    "Accuracy weights pictures equally, macro-F1 weights classes equally.",
                )
            ),
        ),
    )
    figures = _present(effect_figures.groups(report), effect_figures.opinions(report))
    if not many:
        return (Columns(parts=(figures, (analyses, reading))),)
    return (
        *figures[:1],
        effect_tables.pairs(report),
        Fold(
            summary="Alternative analyses of every pair",
            blocks=(*figures[1:], analyses, *reading.blocks),
        ),
    )


def _decided(report: Report) -> tuple[Block, ...]:
    pairs = [pair for pair in report.pairs if pair.table]
    if not pairs:
        return ()
    single = len(report.pairs) == 1
    table = effect_tables.decision(report, pairs[0]) if single else effect_tables.decisions(pairs)
    why = report.effect.pairs[0].because if single else None
    sizes = effect_tables.remedies(report)
    remedy = (Heading(words="Required sample size"), sizes) if sizes else ()
    return (
        Heading(words="Decision"),
        *((Text(words=why),) if why else ()),
        table,
        *remedy,
    )


def _arms(report: Report) -> tuple[Block, ...]:
    units = effect_scores.units(report)
    return (
        Heading(words="Scores by arm"),
        effect_scores.arms(report),
        Fold(summary=units.label, blocks=(units,)),
    )


def _optimism(report: Report) -> tuple[Block, ...]:
    table = effect_scores.optimism(report)
    if table is None:
        words = (
            "Trials were ranked by loss, which is not recorded on the test split."
            if report.search.metric == "loss"
            else "No confirmation run can be compared with the validation score of its choice."
        )
        table_or_note: Block = Text(words=words, faint=True)
    else:
        table_or_note = table
    return (Heading(words="Selection optimism"), table_or_note)


def _checkpoints(report: Report) -> tuple[Block, ...]:
    table = effect_scores.checkpoints(report)
    if table is None:
        return ()
    single = len(table.columns) == 2
    return (
        Heading(words="Two single checkpoints" if single else "Pairs of single checkpoints"),
        Text(
            words="The confirmation run of each arm with the best validation score, on the same "
            "test pictures. The result is about these checkpoints alone, not about configurations "
            "or families: between single checkpoints of equally good arms this test rejects "
            "several times as often as its nominal level."
        ),
        table,
    )


def _present(*pictures: Picture | None) -> tuple[Picture | Table, ...]:
    return tuple(picture for picture in pictures if picture is not None)
