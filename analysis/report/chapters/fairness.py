"""Was the search fair: what each arm got, under which conditions, and what it chose."""

from __future__ import annotations

from analysis.report.blocks import Block, Chapter, Columns, Fold, Heading, Text
from analysis.report.chapters import fairness_figures, fairness_tables
from analysis.report.chapters.fairness_words import at_limits, lead
from analysis.report.cursor import At


def chapter(report: At) -> Chapter:
    """Budgets, conditions, failures and choices; before any trial has ended only the conditions."""
    fairness = report["fairness"]
    ended = any(arm["total"].value for arm in fairness["arms"])
    return Chapter(
        name="fairness",
        title="Was the search fair",
        lead=lead(fairness),
        blocks=(
            *(_budgets(report) if ended else ()),
            *_conditions(report),
            *_failures(fairness),
            *_choices(report),
        ),
    )


def _budgets(report: At) -> tuple[Block, ...]:
    fairness = report["fairness"]
    figure = fairness_figures.states(report)
    arms = fairness_tables.budgets(fairness)
    studies = fairness_tables.studies(fairness)
    several = len(studies.rows) > len(arms.columns) - 1
    return (
        Columns(parts=((arms,), (figure,) if figure else ())),
        *((Fold(summary=studies.label, blocks=(studies,)),) if several else ()),
    )


def _conditions(report: At) -> tuple[Block, ...]:
    tables = (
        (Heading(words="What was sampled"), fairness_tables.parameters(report)),
        (Heading(words="Under which conditions"), fairness_tables.conditions(report)),
    )
    return (Columns(parts=tuple(part for part in tables if part[1].rows)),)


def _failures(fairness: At) -> tuple[Block, ...]:
    table = fairness_tables.failures(fairness)
    return (Heading(words="What came to nothing"), table) if table else ()


def _choices(report: At) -> tuple[Block, ...]:
    fairness = report["fairness"]
    arms = [arm for arm in fairness["choices"] if arm["studies"]]
    if not arms:
        return ()
    frozen = report["search"]["choice_frozen"].value
    figure = fairness_figures.positions(report)
    tables = tuple(fairness_tables.choices(report, arm, number) for number, arm in enumerate(arms))
    return (
        Heading(words="The chosen configurations" if frozen else "The best configurations so far"),
        *((Text(words=at_limits(fairness)), figure) if figure else ()),
        *(tables if len(tables) <= 2 else ()),
        *(
            (Fold(summary="Every arm's chosen configurations", blocks=tables),)
            if len(tables) > 2
            else ()
        ),
    )
