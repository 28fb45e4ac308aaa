"""ExpW (Zhang et al. 2015): photographs with faces in boxes, labelled in label.lst."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import PurePosixPath

from fer_tune.data.files.tree import SourceFile, Tree
from fer_tune.data.formats.base import KnownFormat, numbered
from fer_tune.data.labels.label_table import LAYOUT, counted, pictures_of
from fer_tune.data.labels.matching import Ambiguous, Pictures
from fer_tune.data.labels.splits import split_of_folders
from fer_tune.data.labels.tables import TextTable, readable_table
from fer_tune.data.listing import Entry, Found, Listing, Reading, Skipped, as_number
from fer_tune.data.pixels import Deep, Pixels, UnusableError

NAME = "ExpW"
CLASSES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
ORDER = numbered(*CLASSES)
#: name, face, top, left, right, bottom, confidence, label
_WIDTH = 8


def find(tree: Tree, reading: Reading) -> Listing | None:
    """``label.lst``: a line per face with its box, which is cut out of the photograph."""
    tables = [
        table
        for file in tree.files
        if file.path.suffix.casefold() in (".lst", ".txt", ".csv")
        if file.path.stem.casefold() == "label"
        if (table := readable_table(file)) is not None and _is_list(table)
    ]
    if not tables:
        return None
    shown = pictures_of(tree)
    pictures = Pictures(shown, reading)
    items: list[Entry | Skipped] = []
    missing: list[str] = []
    for line, cells in tables[0].rows():
        origin = f"{tables[0].file.origin}:{line}"
        try:
            file = _picture(cells, pictures, tables[0].file.path.parent)
            if file is None:
                missing.append(cells[0])
                continue
            items.append(_face(file, cells, reading))
        except (UnusableError, Ambiguous) as error:
            items.append(Skipped(origin=origin, reason=str(error)))
    notes = ["faces were cut out by the boxes of the list"]
    if missing:
        notes.append(counted(len(missing), "row", "has no picture", missing[0]))
    found = Found(
        format=NAME,
        labels_from=tables[0].file.origin,
        label_files=(tables[0].file.origin,),
        named=reading.names_classes,
        notes=tuple(notes),
    )
    return Listing(items=tuple(items), found=found, layout=LAYOUT)


def _is_list(table: TextTable) -> bool:
    return bool(table.sample) and all(
        len(row) == _WIDTH and row[7] in ORDER and all(as_number(cell) for cell in row[1:6])
        for row in table.sample
    )


def _picture(
    cells: tuple[str, ...], pictures: Pictures, beside: PurePosixPath
) -> SourceFile | None:
    if len(cells) != _WIDTH:
        raise UnusableError(f"{len(cells)} fields instead of {_WIDTH}")
    return pictures.named(cells[0], beside)


def _face(file: SourceFile, cells: tuple[str, ...], reading: Reading) -> Entry:
    numbers = [as_number(cell) for cell in cells[1:6]]
    if None in numbers:
        raise UnusableError("its box is not in whole numbers")
    face, top, left, right, bottom = (int(number or 0) for number in numbers)
    return Entry(
        origin=f"{file.origin}#{face}",
        found=cells[7],
        class_name=reading.name(cells[7], ORDER),
        split=split_of_folders(file.path, reading),
        load=partial(_cut, file.picture, (top, bottom, left, right)),
        group=file.origin,
    )


def _cut(load: Callable[[], Pixels | Deep], box: tuple[int, int, int, int]) -> Pixels | Deep:
    top, bottom, left, right = box
    face = load()[top:bottom, left:right]
    if not face.size:
        raise UnusableError("its box lies outside the picture")
    return face


FORMAT = KnownFormat(
    key="expw",
    name=NAME,
    order=ORDER,
    where="http://mmlab.ie.cuhk.edu.hk/projects/socialrelation/index.html",
    licence="non-commercial research",
    layouts="label.lst beside the folder of photographs",
    find=find,
)
