"""Disagreements between arms: how often, and on which pictures."""

from __future__ import annotations

from analysis import formats
from analysis.formats import count, listing, percent, plural, points
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
from analysis.report.presentation.cursor import At


def chapter(report: At) -> Chapter:
    """Agreement and galleries of the two best arms; of a single arm its most confident errors."""
    section = report["disagreements"]
    lead, blocks = _content(section, alone=len(report["search"]["arms"]) == 1)
    return Chapter(
        name="disagreements",
        title="Most confident errors" if section["errors"] else "Disagreements between arms",
        lead=lead,
        blocks=tuple(blocks),
    )


def _content(section: At, *, alone: bool) -> tuple[str, list[Block]]:
    if not section["arms"]:
        return "Nothing to compare yet: no confirmation run has test predictions.", []
    if section["errors"]:
        return _errors(section, "the only arm" if alone else "the only arm with test predictions")
    if not section["agreement"]["all"]:
        return "The arms have no test pictures in common, so they cannot be compared.", []
    blocks: list[Block] = [_how_often(section), Text(words=_definition(section), faint=True)]
    return _lead(section), [*blocks, *_apart(section), *_suspects(section)]


def _names(section: At) -> list[str]:
    return [arm["arm"].value for arm in section["arms"]]


def _definition(section: At) -> str:
    runs = listing(f"{arm['arm'].value} {arm['runs'].value}" for arm in section["arms"])
    others = section["others"].value
    rest = f" These are the two best arms; {listing(others)} not shown." if others else ""
    return (
        "An arm's prediction is here the class with the highest probability, averaged over its "
        f"confirmation runs ({runs}).{rest} Intervals of shares are about these runs on further "
        "pictures of the same kind; the difference between the arms is judged by the verdict, not "
        "by this table."
    )


# -- how often ------------------------------------------------------------------------------


def _lead(section: At) -> str:
    whole = section["agreement"]["all"]
    first, second = _names(section)
    n = whole["n"].value
    numbers = whole["pictures"].value
    alone = numbers["first"] + numbers["second"]
    agreed = (
        f"Both are correct on {percent(numbers['both'] / n)} of the {count(n)} test pictures and "
        f"neither on {percent(numbers['neither'] / n)}"
    )
    if not alone:
        return f"{agreed}; there is none on which only one is correct."
    return (
        f"{agreed}; on the other {count(alone)} only one is correct, {first} on "
        f"{count(numbers['first'])} and {second} on {count(numbers['second'])}."
    )


def _how_often(section: At) -> Table:
    first, second = _names(section)
    lines = {
        "both": "both correct",
        "first": f"only {first} correct",
        "second": f"only {second} correct",
        "neither": "neither correct",
        "same_error": "of these: same wrong class",
        "either": "at least one correct",
    }
    parts = {name: section["agreement"][name] for name in ("all", "clean")}
    known = {name: part for name, part in parts.items() if part}
    heads = {"all": "test pictures", "clean": "clean pictures"}
    columns = [Column(name="correct")]
    for name in known:
        columns += [Column(name=heads[name], numeric=True), Column(name="share", numeric=True)]
    return Table(
        name="disagreements-counts",
        label="Correct predictions by arm",
        columns=tuple(columns),
        rows=tuple(
            Row(
                cells=(
                    text(line),
                    *(
                        cell
                        for part in known.values()
                        for cell in (
                            part["pictures"][key].cell(count),
                            part["shares"][key].estimate(_share),
                        )
                    ),
                )
            )
            for key, line in lines.items()
        ),
        caption="Small print: 95 % intervals of the share, over test pictures. Clean: without a "
        "copy in training and without a copy with another label.",
    )


def _share(value: float | None) -> str:
    """A share in per cent with one decimal."""
    return formats.NOTHING if value is None else f"{points(value)} %"


# -- which pictures -------------------------------------------------------------------------


def _apart(section: At) -> list[Block]:
    part = section["apart"]
    if not part["pictures"]:
        return []
    first, second = _names(section)
    words = (
        f"{_of(part)} on which only one arm is correct: alternately errors of {first} and of "
        f"{second}, sorted by the confidence (mean probability) of the wrong class, highest first."
    )
    return [
        Heading(words="Only one arm correct"),
        Text(words=words),
        gallery(
            "disagreements-apart", "Pictures on which only one arm is correct", part["pictures"]
        ),
    ]


def _suspects(section: At) -> list[Block]:
    part = section["suspects"]
    bound = formats.general(part["confident_from"].value)
    wrong = plural(part["wrong_in_every_run"].value, "test picture")
    heading = Heading(words="Wrong in every run of every arm")
    if not part["pictures"]:
        words = f"Every run of every arm is wrong on {wrong}, on none with confidence ≥ {bound}."
        return [heading, Text(words=words)]
    found = part["found"].value
    conflicting = part["conflicting"].value
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
        gallery("disagreements-suspects", "Pictures with doubtful labels", part["pictures"]),
    ]


def _of(part: At) -> str:
    shown, found = len(part["pictures"]), part["found"].value
    if shown == found:
        return f"All {shown} pictures" if shown > 1 else "The one picture"
    return f"{shown} of {count(found)} different pictures"


def _errors(section: At, standing: str) -> tuple[str, list[Block]]:
    (arm,), part = section["arms"], section["errors"]
    name = arm["arm"].value
    right = part["right"]
    lead = (
        f"{name} is {standing}: by the mean probability over its "
        f"{plural(arm['runs'].value, 'run')} it is correct on {percent(right['value'].value)} of "
        f"the {count(right['n'].value)} test pictures."
    )
    if not part["pictures"]:
        return lead, []
    words = f"{_of(part)} that it misclassifies, highest confidence (mean probability) first."
    name = "disagreements-errors"
    return lead, [
        Heading(words="Misclassified pictures"),
        Text(words=words),
        gallery(name, "Most confident errors", part["pictures"]),
    ]
