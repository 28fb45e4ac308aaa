"""Where the arms disagree: how often, and on which pictures."""

from __future__ import annotations

from analysis import formats
from analysis.formats import count, listing, percent, plural, points
from analysis.report.blocks import Block, Chapter, Column, Heading, Row, Table, Text, text
from analysis.report.chapters.tiles import gallery
from analysis.report.cursor import At


def chapter(report: At) -> Chapter:
    """Agreement and galleries of the leading pair; of an arm alone its most confident errors."""
    section = report["disagreements"]
    lead, blocks = _content(section, alone=len(report["search"]["arms"]) == 1)
    return Chapter(
        name="disagreements",
        title="Confident errors" if section["errors"] else "Where they disagree",
        lead=lead,
        blocks=tuple(blocks),
    )


def _content(section: At, *, alone: bool) -> tuple[str, list[Block]]:
    if not section["arms"]:
        return "Nothing to compare yet: no confirmation run has answered the test pictures.", []
    if section["errors"]:
        return _errors(section, "the only arm" if alone else "the only arm with test answers")
    if not section["agreement"]["all"]:
        return "The arms answered no test picture in common, so nothing can be compared.", []
    blocks: list[Block] = [_how_often(section), Text(words=_definition(section), faint=True)]
    return _lead(section), [*blocks, *_apart(section), *_suspects(section)]


def _names(section: At) -> list[str]:
    return [arm["arm"].value for arm in section["arms"]]


def _definition(section: At) -> str:
    runs = listing(f"{arm['arm'].value} {arm['runs'].value}" for arm in section["arms"])
    others = section["others"].value
    rest = f" These are the two arms ahead; {listing(others)} left out." if others else ""
    return (
        "An arm's answer is here the class with the highest probability, averaged over its "
        f"confirmation runs ({runs}).{rest} Shares speak of these runs on further pictures of the "
        "same kind; for the difference between the arms the verdict counts, not this table."
    )


# -- how often ------------------------------------------------------------------------------


def _lead(section: At) -> str:
    whole = section["agreement"]["all"]
    first, second = _names(section)
    n = whole["n"].value
    numbers = whole["pictures"].value
    alone = numbers["first"] + numbers["second"]
    said = (
        f"Both are right on {percent(numbers['both'] / n)} of the {count(n)} test pictures and "
        f"neither on {percent(numbers['neither'] / n)}"
    )
    if not alone:
        return f"{said}; there is none on which one alone is right."
    return (
        f"{said}; on the other {count(alone)} one alone is right, {first} on "
        f"{count(numbers['first'])} and {second} on {count(numbers['second'])}."
    )


def _how_often(section: At) -> Table:
    first, second = _names(section)
    lines = {
        "both": "both right",
        "first": f"{first} alone right",
        "second": f"{second} alone right",
        "neither": "neither right",
        "same_error": "of these: the same wrong answer",
        "either": "at least one right",
    }
    parts = {name: section["agreement"][name] for name in ("all", "clean")}
    told = {name: part for name, part in parts.items() if part}
    heads = {"all": "test pictures", "clean": "clean pictures"}
    columns = [Column(name="who is right")]
    for name in told:
        columns += [Column(name=heads[name], numeric=True), Column(name="share", numeric=True)]
    return Table(
        name="disagreements-counts",
        label="How often each arm is right",
        columns=tuple(columns),
        rows=tuple(
            Row(
                cells=(
                    text(line),
                    *(
                        cell
                        for part in told.values()
                        for cell in (
                            part["pictures"][key].cell(count),
                            part["shares"][key].estimate(_share),
                        )
                    ),
                )
            )
            for key, line in lines.items()
        ),
        caption="In small print 95 % intervals of the share, over test pictures. Clean: no copy "
        "in training, no copy under another label.",
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
        f"{_of(part)} on which one arm is right and the other wrong: in turn those that {first} "
        f"gets wrong and those that {second} gets wrong, each by the confidence of the wrong "
        "answer (its mean probability), highest first."
    )
    return [
        Heading(words="One right, the other wrong"),
        Text(words=words),
        gallery("disagreements-apart", "Pictures that one arm alone gets right", part["pictures"]),
    ]


def _suspects(section: At) -> list[Block]:
    part = section["suspects"]
    bound = formats.general(part["confident_from"].value)
    wrong = plural(part["wrong_in_every_run"].value, "test picture")
    heading = Heading(words="Wrong in every run of every arm")
    if not part["pictures"]:
        words = f"Every run of every arm is wrong on {wrong}, on none with confidence from {bound}."
        return [heading, Text(words=words)]
    found = part["found"].value
    conflicting = part["conflicting"].value
    marked = f" The audit knows {conflicting} of them as conflicting." if conflicting else ""
    words = (
        f"Every run of every arm is wrong on {wrong}; on {count(found)} of them every arm's "
        f"confidence in its wrong answer is {bound} or more. Their labels are worth a look: such "
        f"pictures are often labelled wrongly, or show two expressions.{marked} "
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
        f"{plural(arm['runs'].value, 'run')} it is right on {percent(right['value'].value)} of "
        f"the {count(right['n'].value)} test pictures."
    )
    if not part["pictures"]:
        return lead, []
    words = f"{_of(part)} that it gets wrong, highest confidence (mean probability) first."
    name = "disagreements-errors"
    return lead, [
        Heading(words="Its most confident errors"),
        Text(words=words),
        gallery(name, "Most confident errors", part["pictures"]),
    ]
