"""RAF-DB, basic expressions (Li et al. 2017): a list of labels, or numbered folders."""

from __future__ import annotations

import re

from fer_tune.data.files.clutter import is_picture_name
from fer_tune.data.files.tree import SourceFile, Tree
from fer_tune.data.formats.base import KnownFormat, as_format, numbered
from fer_tune.data.labels.columns import Columns
from fer_tune.data.labels.label_table import list_by_tables
from fer_tune.data.labels.ordered_folders import list_numbered_folders
from fer_tune.data.labels.tables import TextTable, readable_table
from fer_tune.data.listing import Listing, Reading
from fer_tune.wording import plural

NAME = "RAF-DB"
ORDER = numbered("surprise", "fear", "disgust", "happy", "sad", "angry", "neutral", first=1)
_FILE = re.compile(r"(train|test)_\d{4,6}(_aligned)?\.(jpg|jpeg|png)", re.IGNORECASE)
_ALIGNED = re.compile("_aligned$", re.IGNORECASE)
_LISTED = re.compile(r"(train|test)_\d+\.\w+", re.IGNORECASE)


def find(tree: Tree, reading: Reading) -> Listing | None:
    """``list_patition_label.txt`` with pictures, or folders 1 to 7 with RAF-DB's file names."""
    pictures = [f for f in tree.files if is_picture_name(f.path) and _FILE.fullmatch(f.path.name)]
    if not pictures:
        return None
    lists = [
        table
        for file in tree.files
        if file.path.suffix.casefold() == ".txt" and "label" in file.path.name.casefold()
        if (table := readable_table(file)) is not None and _is_list(table)
    ]
    if lists:
        return _from_list(tree, lists[:1], pictures, reading)
    listing = list_numbered_folders(tree, reading, ORDER)
    return None if listing is None else as_format(listing, NAME)


def _is_list(table: TextTable) -> bool:
    return bool(table.sample) and all(
        len(row) == 2 and _LISTED.fullmatch(row[0]) is not None and row[1] in ORDER
        for row in table.sample
    )


def _from_list(
    tree: Tree, lists: list[TextTable], pictures: list[SourceFile], reading: Reading
) -> Listing:
    aligned = [file for file in pictures if "aligned" in file.path.stem.casefold()]
    used = aligned or pictures
    listing = list_by_tables(
        tree,
        lists,
        reading,
        columns=Columns(file=0, label=1),
        order=ORDER,
        files=used,
        # The list names train_00001.jpg, aligned pictures are train_00001_aligned.jpg.
        called=lambda path: path.with_name(_ALIGNED.sub("", path.stem) + path.suffix),
        split_of=lambda path: reading.split(path.name.partition("_")[0]),
    )
    others = len(pictures) - len(used)
    notes = (f"left out: {plural(others, 'picture')} not aligned",) if others else ()
    return as_format(listing, NAME, *notes)


FORMAT = KnownFormat(
    key="raf-db",
    name=NAME,
    order=ORDER,
    where="http://www.whdeld.cn/raf/model1.html",
    licence="non-commercial research, on request",
    layouts="EmoLabel/list_patition_label.txt with Image/aligned or Image/original; "
    "split folders with classes 1 to 7",
    find=find,
)
