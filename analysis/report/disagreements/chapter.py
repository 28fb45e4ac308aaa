"""Disagreements between arms: how often, and on which pictures."""

from __future__ import annotations

from collections.abc import Callable

from analysis import formats
from analysis.formats import count, listing, percent, plural, points
from analysis.report.disagreements.schema import Agreed, DisagreementsPart, Errors, Found, ShownArm
from analysis.report.disagreements.tiles import gallery
from analysis.report.presentation.blocks import (
    Block,
    Chapter,
    Column,
    Heading,
    Row,
    Table,
    Text,
    text,
)
from analysis.report.presentation.cells import cell, estimate
from analysis.report.schema import Report
from analysis.report.values import Int, Known


def chapter(report: Report) -> Chapter:
    """Agreement and galleries of the two best arms; of a single arm its most confident errors."""
    section = report.disagreements
    lead, blocks = _content(section, alone=len(report.search.arms) == 1)
    return Chapter(
        name="disagreements",
        title="Most confident errors" if section.errors else "Disagreements between arms",
        lead=lead,
        blocks=tuple(blocks),
    )


def _content(section: DisagreementsPart, *, alone: bool) -> tuple[str, list[Block]]:
    if not section.arms:
        return "Nothing to compare yet: no confirmation run has test predictions.", []
    if section.errors:
        standing = "the only arm" if alone else "the only arm with test predictions"
        return _errors(section.arms[0], section.errors, standing)
    whole = section.agreement and section.agreement.all
    if not whole:
        return "The arms have no test pictures in common, so they cannot be compared.", []
    blocks: list[Block] = [_how_often(section), Text(words=_definition(section), faint=True)]
    return _lead(section, whole), [*blocks, *_apart(section), *_suspects(section)]


def _names(section: DisagreementsPart) -> list[str]:
    return [arm.arm for arm in section.arms]


def _definition(section: DisagreementsPart) -> str:
    runs = listing(f"{arm.arm} {arm.runs}" for arm in section.arms)
    others = section.others
    rest = f" These are the two best arms; {listing(others)} not shown." if others else ""
    return (
        "An arm's prediction is here the class with the highest probability, averaged over its "
        f"confirmation runs ({runs}).{rest} Intervals of shares are about these runs on further "
        "pictures of the same kind; the difference between the arms is judged by the verdict, not "
        "by this table."
    )


# -- how often ------------------------------------------------------------------------------


def _lead(section: DisagreementsPart, whole: Agreed) -> str:
    first, second = _names(section)
    n = whole.n
    numbers = whole.pictures
    alone = numbers.first + numbers.second
    agreed = (
        f"Both are correct on {percent(numbers.both / n)} of the {count(n)} test pictures and "
        f"neither on {percent(numbers.neither / n)}"
    )
    if not alone:
        return f"{agreed}; there is none on which only one is correct."
    return (
        f"{agreed}; on the other {count(alone)} only one is correct, {first} on "
        f"{count(numbers.first)} and {second} on {count(numbers.second)}."
    )


def _how_often(section: DisagreementsPart) -> Table:
    first, second = _names(section)
    lines: dict[str, Callable[[Agreed], tuple[Int, Known]]] = {
        "both correct": lambda part: (part.pictures.both, part.shares.both),
        f"only {first} correct": lambda part: (part.pictures.first, part.shares.first),
        f"only {second} correct": lambda part: (part.pictures.second, part.shares.second),
        "neither correct": lambda part: (part.pictures.neither, part.shares.neither),
        "of these: same wrong class": lambda part: (
            part.pictures.same_error,
            part.shares.same_error,
        ),
        "at least one correct": lambda part: (part.pictures.either, part.shares.either),
    }
    agreement = section.agreement
    parts = {
        "test pictures": agreement and agreement.all,
        "clean pictures": agreement and agreement.clean,
    }
    known = {name: part for name, part in parts.items() if part}
    columns = [Column(name="correct")]
    for name in known:
        columns += [Column(name=name, numeric=True), Column(name="share", numeric=True)]
    return Table(
        name="disagreements-counts",
        label="Correct predictions by arm",
        columns=tuple(columns),
        rows=tuple(
            Row(
                cells=(
                    text(line),
                    *(
                        made
                        for number, share in map(numbers, known.values())
                        for made in (cell(number, count), estimate(share, _share))
                    ),
                )
            )
            for line, numbers in lines.items()
        ),
        caption="Small print: 95 % intervals of the share, over test pictures. Clean: without a "
        "copy in training and without a copy with another label.",
    )


def _share(value: float | None) -> str:
    """A share in per cent with one decimal."""
    return formats.NOTHING if value is None else f"{points(value)} %"


# -- which pictures -------------------------------------------------------------------------


def _apart(section: DisagreementsPart) -> list[Block]:
    part = section.apart
    if not part or not part.pictures:
        return []
    first, second = _names(section)
    words = (
        f"{_of(part)} on which only one arm is correct: alternately errors of {first} and of "
        f"{second}, sorted by the confidence (mean probability) of the wrong class, highest first."
    )
    return [
        Heading(words="Only one arm correct"),
        Text(words=words),
        gallery("disagreements-apart", "Pictures on which only one arm is correct", part.pictures),
    ]


def _suspects(section: DisagreementsPart) -> list[Block]:
    part = section.suspects
    if not part:
        return []
    bound = formats.general(part.confident_from)
    wrong = plural(part.wrong_in_every_run, "test picture")
    heading = Heading(words="Wrong in every run of every arm")
    if not part.pictures:
        words = f"Every run of every arm is wrong on {wrong}, on none with confidence ≥ {bound}."
        return [heading, Text(words=words)]
    found = part.found
    conflicting = part.conflicting
    marked = f" The audit lists {conflicting} of them as conflicting." if conflicting else ""
    words = (
        f"Every run of every arm is wrong on {wrong}; on {count(found)} of them every arm's "
        f"confidence in the wrong class is at least {bound}. Check their labels: such pictures "
        f"are often mislabelled or ambiguous.{marked} "
        f"{_of(part)}{', highest confidence first' if found > 1 else ''}."
    )
    return [
        heading,
        Text(words=words),
        gallery("disagreements-suspects", "Pictures with doubtful labels", part.pictures),
    ]


def _of(part: Found) -> str:
    shown, found = len(part.pictures), part.found
    if shown == found:
        return f"All {shown} pictures" if shown > 1 else "The one picture"
    return f"{shown} of {count(found)} different pictures"


def _errors(arm: ShownArm, part: Errors, standing: str) -> tuple[str, list[Block]]:
    name = arm.arm
    right = part.right
    lead = (
        f"{name} is {standing}: by the mean probability over its "
        f"{plural(arm.runs, 'run')} it is correct on {percent(right.value)} of "
        f"the {count(right.n)} test pictures."
    )
    if not part.pictures:
        return lead, []
    words = f"{_of(part)} that it misclassifies, highest confidence (mean probability) first."
    name = "disagreements-errors"
    return lead, [
        Heading(words="Misclassified pictures"),
        Text(words=words),
        gallery(name, "Most confident errors", part.pictures),
    ]
