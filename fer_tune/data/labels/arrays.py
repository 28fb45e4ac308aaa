"""One NumPy array with the labels of all pictures, in the order of their names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

import numpy as np

from fer_tune.data.files.tree import SourceFile, Tree
from fer_tune.data.labels.label_table import pictures_of
from fer_tune.data.labels.sidecars import class_values, load_array
from fer_tune.data.labels.splits import split_of_folders
from fer_tune.data.listing import Entry, Found, Listing, Reading, Skipped, printable
from fer_tune.data.pixels import UnusableError
from fer_tune.errors import DataError

_LAYOUT = "The array must have a label for every picture"


def list_by_array(
    tree: Tree, file: SourceFile, reading: Reading, *, order: Mapping[str, str] | None
) -> Listing:
    """Pictures with the labels of an array; numbers in names are compared as numbers.

    Raises:
        DataError: it cannot be read, holds no labels, or not one for every picture.
    """
    pictures = sorted(pictures_of(tree), key=lambda one: natural(one.path))
    try:
        labels = load_array(file).squeeze()
    except UnusableError as error:
        raise DataError(f"cannot be read: {error}", where=file.place) from None
    if labels.ndim == 2 and len(labels) == len(pictures) and labels.shape[1] > 1:
        labels = _from_columns(labels, file)
    if labels.shape != (len(pictures),):
        raise DataError(
            f"must have one label for each of {len(pictures)} pictures",
            where=file.place,
            value=f"shape {labels.shape}",
            remedy="Use the array that belongs to these pictures, or a table with file names",
        )
    try:
        labels = class_values(labels)
    except UnusableError as error:
        raise _no_labels(file, str(error)) from None
    items = [
        _item(one, str(label), reading, order) for one, label in zip(pictures, labels, strict=True)
    ]
    note = f"{file.origin} was joined to the pictures in the order of their names"
    if pictures:
        note += f", from {pictures[0].origin} to {pictures[-1].origin}"
    found = Found(
        labels_from=file.origin,
        label_files=(file.origin,),
        named=reading.names_classes,
        notes=(note,),
    )
    return Listing(items=tuple(items), found=found, layout=_LAYOUT)


def _from_columns(labels: np.ndarray, file: SourceFile) -> np.ndarray:
    """Numbers of classes from one column per class."""
    one_hot = (
        labels.dtype.kind in "biuf"
        and bool(((labels == 0) | (labels == 1)).all())
        and bool((labels.sum(axis=1) == 1).all())
    )
    if not one_hot:
        raise _no_labels(file, f"shape {labels.shape}")
    numbers: np.ndarray = labels.argmax(axis=1)
    return numbers


def _no_labels(file: SourceFile, found: str) -> DataError:
    """For scores, probabilities, or valence and arousal: what a class is would be a guess."""
    return DataError(
        "must hold one class per picture: a name, a whole number, or a row with a single 1 and "
        "zeros in the columns of the other classes",
        where=file.place,
        value=found,
        remedy="Use an array of classes, or a table with file names and labels",
    )


def natural(path: PurePosixPath) -> list[tuple[int, int, str]]:
    """A key by which ``2.jpg`` comes before ``10.jpg``."""
    parts = re.split(r"(\d+)", str(path).casefold())
    return [(1, int(p[:40]), p) if p.isdecimal() else (0, 0, p) for p in parts]


def _item(
    picture: SourceFile, label: str, reading: Reading, order: Mapping[str, str] | None
) -> Entry | Skipped:
    found = printable(label.strip())
    try:
        name = reading.name(found, order)
    except UnusableError as error:
        return Skipped(origin=picture.origin, reason=str(error))
    return Entry(
        origin=picture.origin,
        found=found,
        class_name=name,
        split=split_of_folders(picture.path, reading),
        load=picture.picture,
    )
