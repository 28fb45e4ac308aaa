"""Single pictures of report.json as a gallery or, without thumbnails, as a table."""

from __future__ import annotations

from analysis import formats
from analysis.report.presentation.blocks import Block, Column, Gallery, Row, Table, Tile, text
from analysis.report.presentation.cursor import At

_FLAGS = {"leaked": "leaked", "conflicting": "conflicting labels", "blank": "blank"}

#: Keeps a class and its probability on one line.
_GLUE = "\N{NO-BREAK SPACE}"


def gallery(name: str, label: str, pictures: At) -> Block:
    """Every picture with its true class and each arm's prediction; without thumbnails a table.

    Args:
        pictures: a cursor on entries of :func:`analysis.report.disagreements.gallery.tiles`, one or
            more.
    """
    shown = tuple(_tile(entry) for entry in pictures if entry["png"])
    data = _table(name, label, pictures)
    return Gallery(label=label, tiles=shown, data=data) if shown else data


def _tile(entry: At) -> Tile:
    flags = _flags(entry)
    true = entry["true"].value
    return Tile(
        image=f"data:image/png;base64,{entry['png'].value}",
        alternative=f"Test picture {entry['position'].value}, labelled {true}",
        lines=(
            f"labelled {true}",
            *(_answer(answer) for answer in entry["answers"]),
            *([flags] if flags else []),
        ),
    )


def _answer(answer: At) -> str:
    mark = "✓" if answer["right"].value else "✗"
    probability = formats.probability(answer["probability"].value)
    return f"{mark} {answer['arm'].value}: {answer['class'].value}{_GLUE}{probability}"


def _flags(entry: At) -> str:
    return formats.listing(words for flag, words in _FLAGS.items() if entry[flag].value)


def _table(name: str, label: str, pictures: At) -> Table:
    arms = [answer["arm"].value for answer in pictures[0]["answers"]]
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


def _row(entry: At) -> Row:
    answers = [
        cell
        for answer in entry["answers"]
        for cell in (
            text(f"{'✓' if answer['right'].value else '✗'} {answer['class'].value}"),
            answer["probability"].cell(formats.probability),
        )
    ]
    return Row(
        cells=(
            entry["position"].cell(formats.count),
            text(entry["true"].value),
            *answers,
            text(_flags(entry)),
        )
    )
