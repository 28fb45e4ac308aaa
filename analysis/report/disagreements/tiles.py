"""Single pictures of report.json as a gallery or, without thumbnails, as a table."""

from __future__ import annotations

from collections.abc import Sequence

from analysis import formats
from analysis.report.disagreements.schema import PictureAnswer, PictureEntry
from analysis.report.presentation.blocks import Block, Column, Gallery, Row, Table, Tile, text
from analysis.report.presentation.cells import cell

#: Keeps a class and its probability on one line.
_GLUE = "\N{NO-BREAK SPACE}"


def gallery(name: str, label: str, pictures: Sequence[PictureEntry]) -> Block:
    """Every picture with its true class and each arm's prediction; without thumbnails a table.

    Args:
        pictures: one or more.
    """
    shown = tuple(_tile(entry) for entry in pictures if entry.png)
    data = _table(name, label, pictures)
    return Gallery(label=label, tiles=shown, data=data) if shown else data


def _tile(entry: PictureEntry) -> Tile:
    flags = _flags(entry)
    true = entry.true
    return Tile(
        image=f"data:image/png;base64,{entry.png}",
        alternative=f"Test picture {entry.position}, labelled {true}",
        lines=(
            f"labelled {true}",
            *(_answer(answer) for answer in entry.answers),
            *([flags] if flags else []),
        ),
    )


def _answer(answer: PictureAnswer) -> str:
    mark = "✓" if answer.right else "✗"
    probability = formats.probability(answer.probability)
    return f"{mark} {answer.arm}: {answer.class_}{_GLUE}{probability}"


def _flags(entry: PictureEntry) -> str:
    flags = (
        (entry.leaked, "leaked"),
        (entry.conflicting, "conflicting labels"),
        (entry.blank, "blank"),
    )
    return formats.listing(words for flag, words in flags if flag)


def _table(name: str, label: str, pictures: Sequence[PictureEntry]) -> Table:
    arms = [answer.arm for answer in pictures[0].answers]
    columns = [Column(name="picture", numeric=True), Column(name="labelled")]
    for arm in arms:
        columns += [Column(name=arm), Column(name="probability", numeric=True)]
    return Table(
        name=name,
        label=label,
        columns=(*columns, Column(name="flags")),
        rows=tuple(_row(entry) for entry in pictures),
        caption="Picture: row in the packed dataset. Probability: that of the predicted class, "
        "mean over the arm's runs.",
        tall=len(pictures) > 12,
    )


def _row(entry: PictureEntry) -> Row:
    answers = [
        made
        for answer in entry.answers
        for made in (
            text(f"{'✓' if answer.right else '✗'} {answer.class_}"),
            cell(answer.probability, formats.probability),
        )
    ]
    return Row(
        cells=(
            cell(entry.position, formats.count),
            text(entry.true),
            *answers,
            text(_flags(entry)),
        )
    )
