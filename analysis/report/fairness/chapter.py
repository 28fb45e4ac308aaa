"""Fairness of the search: budget and conditions of each arm, failures, chosen configurations."""

from __future__ import annotations

from analysis.report.fairness import figures as fairness_figures
from analysis.report.fairness import tables as fairness_tables
from analysis.report.fairness.schema import FairnessPart
from analysis.report.fairness.words import at_limits, lead
from analysis.report.presentation.blocks import Block, Chapter, Columns, Fold, Heading, Text
from analysis.report.schema import Report


def chapter(report: Report) -> Chapter:
    """Budgets, conditions, failures and choices; before any trial has ended, conditions alone."""
    fairness = report.fairness
    ended = any(arm.total for arm in fairness.arms)
    return Chapter(
        name="fairness",
        title="Fairness of the search",
        lead=lead(fairness),
        blocks=(
            *(_budgets(report) if ended else ()),
            *_conditions(report),
            *_failures(fairness),
            *_choices(report),
        ),
    )


def _budgets(report: Report) -> tuple[Block, ...]:
    fairness = report.fairness
    figure = fairness_figures.states(report)
    arms = fairness_tables.budgets(fairness)
    studies = fairness_tables.studies(fairness)
    several = len(studies.rows) > len(arms.columns) - 1
    return (
        Columns(parts=((arms,), (figure,) if figure else ())),
        *((Fold(summary=studies.label, blocks=(studies,)),) if several else ()),
    )


def _conditions(report: Report) -> tuple[Block, ...]:
    tables = (
        (Heading(words="Search space"), fairness_tables.parameters(report)),
        (Heading(words="Conditions"), fairness_tables.conditions(report)),
    )
    return (Columns(parts=tuple(part for part in tables if part[1].rows)),)


def _failures(fairness: FairnessPart) -> tuple[Block, ...]:
    table = fairness_tables.failures(fairness)
    return (Heading(words="Failed and diverged trials"), table) if table else ()


def _choices(report: Report) -> tuple[Block, ...]:
    fairness = report.fairness
    arms = [arm for arm in fairness.choices if arm.studies]
    if not arms:
        return ()
    frozen = report.search.choice_frozen
    figure = fairness_figures.positions(report)
    tables = tuple(fairness_tables.choices(report, arm, number) for number, arm in enumerate(arms))
    return (
        Heading(words="Chosen configurations" if frozen else "Best configurations so far"),
        *((Text(words=at_limits(fairness)), figure) if figure else ()),
        *(tables if len(tables) <= 2 else ()),
        *(
            (Fold(summary="Chosen configurations by arm", blocks=tables),)
            if len(tables) > 2
            else ()
        ),
    )
