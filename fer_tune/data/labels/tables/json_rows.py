"""Rows of JSON: lines of objects, a list of them, a label by file name, COCO's annotations."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

from fer_tune.data.files.clutter import is_picture_name
from fer_tune.data.files.limits import MAX_MEMBER_BYTES
from fer_tune.data.files.tree import SourceFile
from fer_tune.data.pixels import UnusableError
from fer_tune.errors import DataError

#: A row's number, and its values by column.
JsonRow = tuple[int, dict[str, object]]


def json_rows(file: SourceFile) -> list[JsonRow]:
    """The objects of a ``.jsonl`` or ``.json`` file.

    A ``.json`` file may be a list of objects, an object with a list for each column, or one label
    per file name; in COCO's form a row is an annotation with its picture and category.

    Raises:
        UnusableError: too large.
        DataError: not JSON, or another kind of document.
    """
    content = file.read()
    if len(content) >= MAX_MEMBER_BYTES:
        raise UnusableError("too large")
    text = content.decode("utf-8-sig", "replace")
    if file.path.suffix.casefold() == ".jsonl":
        return _lines(text, file.place)
    rows = _document(_parsed(text, file.place))
    if rows is None:
        raise DataError(
            "is in a form of JSON that is not read",
            where=file.place,
            remedy="These are: a list of objects, an object with a list for each column, a label "
            "or an object for each file name, and COCO's form. Or write a CSV with the columns "
            "file and label",
        )
    return list(enumerate(rows, start=1))


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise DataError("is not valid JSON", where=where) from None


def _lines(text: str, where: str) -> list[JsonRow]:
    found: list[JsonRow] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        one = _parsed(line, f"{where}:{number}")
        if not isinstance(one, dict):
            raise DataError("is not a JSON object", where=f"{where}:{number}")
        found.append((number, one))
    return found


def _document(document: Any) -> list[dict[str, object]] | None:
    if _are_objects(document):
        return list(document)
    if not isinstance(document, dict) or not document:
        return None
    if (found := _coco(document)) is not None:
        return found
    values = list(document.values())
    if all(value is None or isinstance(value, str | int | float) for value in values):
        return [{"file": name, "label": value} for name, value in document.items()]
    if _are_objects(values):
        # Rows or pictures as keys are those of a column, a split or a class.
        inner = {str(name) for value in values for name in value}
        if _name_rows(inner):
            return None
        return [{"file": name, **value} for name, value in document.items()]
    if all(isinstance(value, list) for value in values) and len(set(map(len, values))) == 1:
        files = sum(_name_rows(map(str, value)) for value in values if value)
        if _name_rows(document) or files > 1:
            return None
        return [dict(zip(document, cells, strict=True)) for cells in zip(*values, strict=True)]
    # One list beside other entries, such as {"info": {}, "data": [{}, {}]}.
    lists = [value for value in values if _are_objects(value)]
    return list(lists[0]) if len(lists) == 1 else None


def _name_rows(names: Iterable[str]) -> bool:
    """Whether all of them are file names of pictures, or numbers of rows, and no columns."""
    return all(name.isdecimal() or is_picture_name(PurePosixPath(name)) for name in names)


def _are_objects(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in value)


def _coco(document: Mapping[str, Any]) -> list[dict[str, object]] | None:
    """A row for each annotation: ``file`` and ``label``, by the numbers that COCO gives them.

    Also its box, and the size of its picture, by which it is known what the label belongs to.
    """
    parts = [document.get(name) for name in ("images", "annotations", "categories")]
    if not all(map(_are_objects, parts)):
        return None
    images, annotations, categories = parts
    assert images is not None and annotations is not None and categories is not None
    pictures: dict[str, dict[str, object]] = {str(one.get("id")): one for one in images}
    names = {str(one.get("id")): one.get("name") for one in categories}
    rows = []
    for one in annotations:
        picture = pictures.get(str(one.get("image_id")), {})
        row = {
            "file": picture.get("file_name"),
            "label": names.get(str(one.get("category_id"))),
        }
        if one.get("bbox"):
            of_picture = {name: picture.get(name) for name in ("width", "height")}
            row |= {"bbox": one["bbox"], **of_picture}
        rows.append(row)
    return rows
