"""Labels in a small file for each picture: webdataset's tars, and NumPy annotations."""

from __future__ import annotations

import io
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import PurePosixPath

import numpy as np

from fer_tune.data.files.clutter import is_picture_name
from fer_tune.data.files.tree import SourceFile, Tree
from fer_tune.data.labels.splits import split_of_folders, split_of_name
from fer_tune.data.labels.tables import box_error
from fer_tune.data.listing import Entry, Found, Listing, Reading, Skipped, as_number, printable
from fer_tune.data.pixels import UnusableError

_LAYOUT = "Every picture must have a file with its label, such as 000001.jpg and 000001.cls"
#: Suffixes of label files, the surest first.
_SUFFIXES = (".cls", ".label", ".json", ".txt")
_FIELDS = ("label", "emotion", "expression", "class", "cls", "category", "label_name", "class_name")
_LONGEST = 64 * 1024
_BOX = re.compile(r"\d+(\s+-?(\d+(\.\d*)?|\.\d+)(e-?\d+)?){4,}", re.IGNORECASE)
_FRACTION = re.compile(r"[-+]?\d*[.,]\d+(e-?\d+)?", re.IGNORECASE)
#: Longest label: a text beside a picture may also be its caption.
_LABEL = 64
#: Share of pictures that need a label beside them.
_MOST = 0.9
#: Texts by which YOLO's form is recognised.
_FIRST = 5
_Key = tuple[PurePosixPath, str]


def list_sidecars(tree: Tree, reading: Reading) -> Listing | None:
    """Pictures with a ``.cls``, ``.json`` or ``.txt`` file of the same name; None for others.

    The members of a tar (webdataset) share all of their name before the first dot, as may the
    files of a folder; there, names may also differ in nothing but the suffix.
    """
    beside: dict[_Key, dict[str, SourceFile]] = defaultdict(dict)
    pictures: list[SourceFile] = []
    for file in tree.files:
        if is_picture_name(file.path):
            pictures.append(file)
        elif file.path.suffix.casefold() in _SUFFIXES:
            beside[_stem(file.path)][file.path.suffix.casefold()] = file
    if not pictures or not beside:
        return None
    labelled = [
        (file, beside.get(_stem(file.path)) or beside.get(_sample(file.path), {}))
        for file in pictures
    ]
    for suffix in _SUFFIXES:
        count = sum(suffix in found for _, found in labelled)
        if count < _MOST * len(pictures):
            continue
        if suffix in (".json", ".txt") and not _are_labels(labelled, suffix):
            continue
        items = [_item(file, found.get(suffix), reading) for file, found in labelled]
        return Listing(
            items=tuple(items),
            found=Found(labels_from=f"{suffix} files", named=reading.names_classes),
            layout=_LAYOUT,
        )
    return None


def check_boxes(tree: Tree) -> None:
    """Stops at labels in YOLO's form, in files of the pictures' names in any folder.

    Raises:
        DataError: most pictures have such a file.
    """
    pictures = [file for file in tree.files if is_picture_name(file.path)]
    stems = {file.path.stem for file in pictures}
    texts = [f for f in tree.files if f.path.suffix.casefold() == ".txt" and f.path.stem in stems]
    if len(texts) < len(pictures) / 2:
        return
    # A picture without anything that has a label has an empty file.
    filled = ((file, text) for file in texts if (text := _text(file)) != "")
    shown = list(islice(filled, _FIRST))
    if not shown or not all(map(_holds_boxes, (text for _, text in shown))):
        return
    raise box_error(
        "labels are in YOLO's form, with a class number and a box in each line",
        shown[0][0].origin,
        None,
        "Or name the classes in the file names, for --class-from REGEX",
    )


def _text(file: SourceFile) -> str | None:
    try:
        return file.read()[:_LONGEST].decode("utf-8-sig", "replace").strip()
    except UnusableError:
        return None


def _holds_boxes(text: str | None) -> bool:
    """Whether every line is a class and shares of a picture's sides; points are in pixels."""
    lines = [line.strip() for line in (text or "").splitlines()]
    return bool(lines) and all(
        _BOX.fullmatch(line) and all(0 <= float(word) <= 1 for word in line.split()[1:])
        for line in lines
    )


def _stem(path: PurePosixPath) -> _Key:
    return path.parent, path.stem


def _sample(path: PurePosixPath) -> _Key:
    """What webdataset calls the key of a sample: ``1.rgb.jpg`` and ``1.cls`` share it."""
    return path.parent, path.name.partition(".")[0]


def _are_labels(labelled: list[tuple[SourceFile, dict[str, SourceFile]]], suffix: str) -> bool:
    """Whether the first files hold labels, and not captions, boxes or landmarks."""
    shown = [found[suffix] for _, found in labelled[:20] if suffix in found]
    try:
        return all(label_in(file) for file in shown)
    except UnusableError:
        return False


def _item(picture: SourceFile, label: SourceFile | None, reading: Reading) -> Entry | Skipped:
    try:
        if label is None:
            raise UnusableError("has no file with its label")
        found = label_in(label)
        name = reading.name(found)
    except UnusableError as error:
        return Skipped(origin=picture.origin, reason=str(error))
    return Entry(
        origin=picture.origin,
        found=found,
        class_name=name,
        split=_split(picture.path, reading),
        load=picture.picture,
    )


def _split(path: PurePosixPath, reading: Reading) -> str | None:
    """Of its folders, or of the shard: ``train-000000.tar`` appears as the folder."""
    return split_of_folders(path, reading) or split_of_name(path.parent, reading)


def label_in(file: SourceFile) -> str:
    """The label in a small text or JSON file.

    Raises:
        UnusableError: it holds none.
    """
    content = file.read()
    if len(content) > _LONGEST:
        raise UnusableError(f"{file.path.name} is too long for a label")
    text = content.decode("utf-8-sig", "replace").strip()
    if file.path.suffix.casefold() == ".json":
        text = _in_json(text, file.path.name)
    other = _BOX.fullmatch(text) or (_FRACTION.fullmatch(text) and as_number(text) is None)
    if not text or "\n" in text or len(text) > _LABEL or other:
        raise UnusableError(f"{file.path.name} holds no label")
    return printable(text)


def _in_json(text: str, name: str) -> str:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise UnusableError(f"{name} is not valid JSON") from None
    if isinstance(document, dict):
        lower = {str(key).casefold(): value for key, value in document.items()}
        document = next((lower[field] for field in _FIELDS if field in lower), None)
    if isinstance(document, bool) or not isinstance(document, str | int):
        raise UnusableError(f"{name} holds no label")
    return str(document).strip()


def number_in(file: SourceFile) -> str:
    """The one value of a ``.npy`` file, as text; never unpickled.

    Raises:
        UnusableError: another kind of file, or not one value.
    """
    array = load_array(file)
    if array.size != 1:
        raise UnusableError(f"{file.path.name} holds {array.size} values instead of one label")
    return printable(str(class_values(array).reshape(-1)[0]).strip())


def class_values(array: np.ndarray) -> np.ndarray:
    """Classes in an array: names as text, or whole numbers.

    Raises:
        UnusableError: it holds something else.
    """
    kind = array.dtype.kind
    if kind == "S":
        try:
            return np.char.decode(array, "utf-8")
        except UnicodeDecodeError:
            raise UnusableError("names that are not UTF-8") from None
    if kind not in "biufU":
        raise UnusableError(f"values of the kind {array.dtype}")
    if kind == "f" and not (np.isfinite(array) & (array == np.floor(array))).all():
        raise UnusableError("values that are not whole numbers")
    return array


def load_array(file: SourceFile) -> np.ndarray:
    """The array of a ``.npy`` file; never unpickled.

    Raises:
        UnusableError: another kind of file, damaged, or of Python objects.
    """
    content = file.read()
    try:
        found = np.load(io.BytesIO(content), allow_pickle=False)
    except (ValueError, EOFError, OSError, TypeError, MemoryError, SyntaxError) as error:
        reason = str(error).partition("\n")[0][:100]
        raise UnusableError(f"{file.path.name} cannot be read as an array: {reason}") from None
    if not isinstance(found, np.ndarray):
        raise UnusableError(f"{file.path.name} is no .npy file")
    return found


def list_numbers(
    pairs: Iterator[tuple[SourceFile, SourceFile]],
    reading: Reading,
    *,
    split: Callable[[PurePosixPath], str | None],
    order: Mapping[str, str] | None,
    dropped: Mapping[str, str],
) -> Iterator[Entry | Skipped | str]:
    """Pictures with one number each in a ``.npy`` file.

    Args:
        pairs: a picture and its label's file.
        split: of a picture's path.
        order: names of numbers.
        dropped: reasons by number, yielded in place of the picture.
    """
    for picture, file in pairs:
        try:
            found = number_in(file)
            if found in dropped:
                yield dropped[found]
                continue
            name = reading.name(found, order)
        except UnusableError as error:
            yield Skipped(origin=picture.origin, reason=str(error))
            continue
        yield Entry(
            origin=picture.origin,
            found=found,
            class_name=name,
            split=split(picture.path),
            load=picture.picture,
        )
