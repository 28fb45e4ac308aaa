"""How large the effect is, what second opinions say, and how the verdict came about."""

from __future__ import annotations

from analysis.report.blocks import (
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
from analysis.report.chapters import effect_figures, effect_scores, effect_tables
from analysis.report.chapters.effect_words import lead
from analysis.report.cursor import At


def chapter(report: At) -> Chapter:
    """The effect; without confirmation only that there is none yet."""
    scored = any(arm["test_macro_f1"] for arm in report["arms"])
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
    return Chapter(name="effect", title="How large is the effect", lead=lead(report), blocks=blocks)


def _difference(report: At) -> tuple[Block, ...]:
    if not any(pair["difference"] for pair in report["pairs"]):
        return ()
    many = len(report["pairs"]) > 1
    told = effect_tables.opinions(report)
    reading = Fold(
        summary="What the opinions assume",
        blocks=(
            Bullets(
                items=(
                    "Welch's t allows the arms unequal spreads and takes the scores of units as "
                    "about normal.",
                    "The BCa bootstrap resamples the units and assumes no distribution. Over few "
                    "units its intervals are too narrow: between identical arms they excluded zero "
                    "in about 14 % of simulations with 5 units per arm, in 8 % with 10. From fewer "
                    "than 5 it is not counted.",
                    "The label permutation deals the units to the arms anew and asks how often "
                    "that gives a difference as large. With few units it has few different "
                    "answers, the smallest of which may be above 5 %.",
                    "Clean pictures leave out those that were leaked or carry conflicting labels. "
                    "Accuracy weighs pictures, macro-F1 weighs classes.",
                )
            ),
        ),
    )
    figures = _present(effect_figures.groups(report), effect_figures.opinions(report))
    if not many:
        return (Columns(parts=(figures, (told, reading))),)
    return (
        *figures[:1],
        effect_tables.pairs(report),
        Fold(summary="Second opinions on every pair", blocks=(*figures[1:], told, *reading.blocks)),
    )


def _decided(report: At) -> tuple[Block, ...]:
    pairs = [pair for pair in report["pairs"] if pair["table"]]
    if not pairs:
        return ()
    single = len(report["pairs"]) == 1
    table = effect_tables.decision(report, pairs[0]) if single else effect_tables.decisions(pairs)
    why = report["effect"]["pairs"][0]["because"].value if single else None
    settle = effect_tables.remedies(report)
    remedy = (Heading(words="What would settle it"), settle) if settle else ()
    return (
        Heading(words="How the verdict was decided"),
        *((Text(words=why),) if why else ()),
        table,
        *remedy,
    )


def _arms(report: At) -> tuple[Block, ...]:
    units = effect_scores.units(report)
    return (
        Heading(words="The arms in full"),
        effect_scores.arms(report),
        Fold(summary=units.label, blocks=(units,)),
    )


def _optimism(report: At) -> tuple[Block, ...]:
    table = effect_scores.optimism(report)
    if table is None:
        words = (
            "Trials were ranked by loss, which is not recorded on the test split."
            if report["search"]["metric"].value == "loss"
            else "No confirmation run can be set against the validation score of its choice."
        )
        table_or_note: Block = Text(words=words, faint=True)
    else:
        table_or_note = table
    return (Heading(words="How much the choice flattered itself"), table_or_note)


def _checkpoints(report: At) -> tuple[Block, ...]:
    table = effect_scores.checkpoints(report)
    if table is None:
        return ()
    single = len(table.columns) == 2
    return (
        Heading(words="These two checkpoints only" if single else "Pairs of checkpoints only"),
        Text(
            words="From each arm the confirmation run with the best validation score, on the same "
            "test pictures. This speaks of these very checkpoints and never of configurations or "
            "families: between single checkpoints of equally good arms the same test finds a "
            "difference several times as often as its level says."
        ),
        table,
    )


def _present(*pictures: Picture | None) -> tuple[Picture | Table, ...]:
    return tuple(picture for picture in pictures if picture is not None)
