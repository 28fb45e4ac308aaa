"""AffectNet (Mollahosseini et al. 2017): one .npy per picture, or CSV lists."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import PurePosixPath

from fer_tune.data.files.clutter import is_picture_name
from fer_tune.data.files.tree import Tree
from fer_tune.data.formats.base import KnownFormat, as_format, numbered
from fer_tune.data.labels.label_table import left_out_note, list_by_tables
from fer_tune.data.labels.sidecars import list_numbers
from fer_tune.data.labels.splits import split_of_folders
from fer_tune.data.labels.tables import readable_table
from fer_tune.data.listing import Entry, Found, Listing, Reading, Skipped
from fer_tune.wording import plural

NAME = "AffectNet"
CLASSES = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "angry", "contempt")
DROPPED = {"8": "none", "9": "uncertain", "10": "no face"}
_LABEL = re.compile(r"(.+)_exp\.npy", re.IGNORECASE)
_LISTED = "subdirectory_filepath"
LAYOUT = "AffectNet has images/N.jpg with annotations/N_exp.npy, or training.csv"


def find(tree: Tree, reading: Reading) -> Listing | None:
    """``N_exp.npy`` for pictures, or CSV lists with the column ``subDirectory_filePath``."""
    if (listing := _from_arrays(tree, reading)) is not None:
        return listing
    tables = [
        table
        for file in tree.files
        if file.path.suffix.casefold() == ".csv"
        if (table := readable_table(file)) is not None and _LISTED in (table.header or ())
    ]
    if not tables:
        return None
    listing = list_by_tables(
        tree,
        tables,
        reading,
        order=FORMAT.order,
        dropped=DROPPED,
        split_of=lambda path: _split(path, reading),
    )
    return as_format(listing, NAME)


def _from_arrays(tree: Tree, reading: Reading) -> Listing | None:
    labels = {
        (_set_of(file.path), match[1]): file
        for file in tree.files
        if (match := _LABEL.fullmatch(file.path.name))
    }
    if not labels:
        return None
    pictures = [file for file in tree.files if is_picture_name(file.path)]
    pairs = [
        (picture, labels[key])
        for picture in pictures
        if (key := (_set_of(picture.path), picture.path.stem)) in labels
    ]
    items: list[Entry | Skipped] = []
    dropped: Counter[str] = Counter()
    for item in list_numbers(
        iter(pairs),
        reading,
        split=lambda path: _split(path, reading),
        order=FORMAT.order,
        dropped=DROPPED,
    ):
        if isinstance(item, str):
            dropped[item] += 1
        else:
            items.append(item)
    notes = [left_out_note(count, why) for why, count in dropped.most_common()]
    if without := len(pictures) - len(pairs):
        notes.append(f"{plural(without, 'picture')} without _exp.npy")
    # Two pictures may share a label's file: 1.jpg and 1.png.
    if without := len(labels) - len({file.path for _, file in pairs}):
        notes.append(f"{plural(without, '_exp.npy file')} without a picture")
    found = Found(
        format=NAME,
        labels_from="_exp.npy files",
        named=reading.names_classes,
        notes=tuple(notes),
    )
    return Listing(items=tuple(items), found=found, layout=LAYOUT)


def _set_of(path: PurePosixPath) -> PurePosixPath:
    """The folder that holds images and annotations, or the file's own if both are in one."""
    apart = path.parent.name.casefold() in ("images", "annotations", "annotation")
    return path.parent.parent if apart else path.parent


def _split(path: PurePosixPath, reading: Reading) -> str | None:
    """Of ``train_set`` and ``val_set``, too."""
    short = PurePosixPath(*(re.sub("_(set|class)$", "", part) for part in path.parts))
    return split_of_folders(path, reading) or split_of_folders(short, reading)


FORMAT = KnownFormat(
    key="affectnet",
    name=NAME,
    order=numbered(*CLASSES),
    dropped=DROPPED,
    where="http://mohammadmahoor.com/pages/databases/affectnet/",
    licence="non-commercial research, on request",
    layouts="images/N.jpg with annotations/N_exp.npy; training.csv and validation.csv",
    find=find,
)
