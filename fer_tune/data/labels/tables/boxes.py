"""Labels that belong to a box inside a picture: in columns of a table, and in COCO's form."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from fer_tune.data.labels.tables.opening import TextTable
from fer_tune.errors import DataError

#: Names of four columns, without what says that they are of a box, and whether the last two are
#: its width and height.
_FORMS: tuple[tuple[tuple[str, str, str, str], bool], ...] = (
    (("xmin", "ymin", "xmax", "ymax"), False),
    (("minx", "miny", "maxx", "maxy"), False),
    (("x1", "y1", "x2", "y2"), False),
    (("x0", "y0", "x1", "y1"), False),
    (("left", "top", "right", "bottom"), False),
    (("left", "top", "width", "height"), True),
    (("x", "y", "w", "h"), True),
    (("x", "y", "width", "height"), True),
)
#: A column with all four numbers, mostly the corner and the size.
_WHOLE = frozenset({"bbox", "boundingbox", "box", "facebox", "rect", "roi"})
_PREFIX = re.compile(r"(bbox|bounding_?box|box|face)_(?=.)")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d{1,2})?")
#: Share of a picture that a box of about all of it covers; and where it begins, as a share of its
#: own size, in a picture of unknown size.
_COVERED, _CORNER = 0.75, 0.05
#: Longest text of four numbers.
_LONGEST = 120
_Box = tuple[float, float, float, float]
_Size = tuple[float, float]


def check_box_columns(table: TextTable, labelled: Mapping[str, str]) -> None:
    """Stops at a table whose labels belong to a part of a picture.

    Args:
        labelled: columns that the user chose; who chose the label wants whole pictures.

    Raises:
        DataError: a row has a box that does not cover about the whole picture.
    """
    if "label" in labelled:
        return
    for names, boxes in _boxes(table):
        if any(not _covers(box, size) for box, size in boxes):
            raise box_error(
                "labels belong to a box inside a picture, of which only the whole is imported",
                table.file.place,
                names,
                "If the pictures are cut out already, name the column of labels with "
                "--columns label=NAME",
            )


def box_error(what: str, where: str, value: str | None, otherwise: str) -> DataError:
    """The error for labels of boxes.

    Args:
        otherwise: a further remedy, as a sentence.
    """
    return DataError(
        what,
        where=where,
        value=value,
        remedy="Cut the faces out, and write a table with the columns file and label for --labels. "
        + otherwise,
    )


def _boxes(table: TextTable) -> Iterator[tuple[str, Iterator[tuple[_Box, _Size | None]]]]:
    """Names of columns with boxes, and the boxes of the first rows with their pictures' sizes."""
    header = table.header or ()
    bare = (_PREFIX.sub("", name.replace(" ", "_")).replace("_", "") for name in header)
    at = {name: column for column, name in enumerate(bare)}
    # More than two points are of a face.
    points = "x3" in at or {"x0", "x2"} <= set(at)
    for names, sized in _FORMS:
        if set(names) <= set(at) and not (points and names[0] in ("x0", "x1")):
            columns = [at[name] for name in names]
            yield ", ".join(header[n] for n in columns), _found(table, at, columns, sized)
    for name in sorted(_WHOLE & set(at)):
        yield header[at[name]], _found(table, at, [at[name]], True)


def _found(
    table: TextTable, at: Mapping[str, int], columns: Sequence[int], sized: bool
) -> Iterator[tuple[_Box, _Size | None]]:
    of_picture = [at[name] for name in ("width", "height") if name in at]
    known = len(of_picture) == 2 and not set(of_picture) & set(columns)
    for row in table.sample:
        box = _numbers(row, columns)
        if len(box) != 4:
            continue
        x, y, width, height = box
        if not sized:
            width, height = width - x, height - y
        if width <= 0 or height <= 0:
            continue
        size = _numbers(row, of_picture) if known else []
        if max(box) <= 1:
            size = [1, 1]
        is_size = len(size) == 2 and min(size) > 0
        yield (x, y, width, height), ((size[0], size[1]) if is_size else None)


def _numbers(row: Sequence[str], columns: Sequence[int]) -> list[float]:
    text = " ".join(row[n][:_LONGEST] for n in columns if n < len(row))
    return [float(number) for number in _NUMBER.findall(text)]


def _covers(box: _Box, size: _Size | None) -> bool:
    x, y, width, height = box
    if size is None:
        return x <= _CORNER * width and y <= _CORNER * height
    inside = (min(x + width, size[0]) - max(x, 0)) * (min(y + height, size[1]) - max(y, 0))
    return inside >= _COVERED * size[0] * size[1]
