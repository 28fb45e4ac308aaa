"""CK+ (Lucey et al. 2010): sequences with an emotion file, and the 48-pixel copy in folders."""

from __future__ import annotations

import re
from dataclasses import replace

from fer_tune.data.files.clutter import is_picture_name
from fer_tune.data.files.tree import SourceFile, Tree
from fer_tune.data.formats.base import KnownFormat, as_format, numbered
from fer_tune.data.labels.class_folders import list_class_folders
from fer_tune.data.listing import Entry, Found, Listing, Reading, Skipped, as_number
from fer_tune.data.pixels import UnusableError
from fer_tune.wording import plural

NAME = "CK+"
CLASSES = ("neutral", "angry", "contempt", "disgust", "fear", "happy", "sad", "surprise")
ORDER = numbered(*CLASSES)
LAYOUT = "CK+ has cohn-kanade-images/S005/001/*.png with Emotion/S005/001/*_emotion.txt"
_EMOTION = re.compile(r"(S\d{3}_\d{3}_\d{8})_emotion\.txt", re.IGNORECASE)
_FRAME = re.compile(r"(S\d{3})_\d{1,3}(_\d{8})?\.\w+", re.IGNORECASE)
_MOST_BYTES = 200


def find(tree: Tree, reading: Reading) -> Listing | None:
    """Peak frames with ``_emotion.txt``, or class folders of frames (CK+48)."""
    emotions = {
        match[1].casefold(): file
        for file in tree.files
        if (match := _EMOTION.fullmatch(file.path.name))
    }
    frames = [f for f in tree.files if is_picture_name(f.path) and _FRAME.fullmatch(f.path.name)]
    if emotions and frames:
        return _from_sequences(emotions, frames, reading)
    pictures = [file for file in tree.files if is_picture_name(file.path)]
    if not frames or len(frames) < 0.9 * len(pictures):
        return None
    listing = list_class_folders(tree, reading)
    classes = {entry.class_name for entry in listing.entries}
    if not classes or not classes <= set(CLASSES):
        return None
    return as_format(listing.changed(_with_person), NAME)


def _with_person(entry: Entry) -> Entry:
    match = _FRAME.fullmatch(entry.origin.rpartition("/")[2])
    return replace(entry, group=match[1].upper() if match else None)


def _from_sequences(
    emotions: dict[str, SourceFile], frames: list[SourceFile], reading: Reading
) -> Listing:
    items: list[Entry | Skipped] = []
    peaks = [frame for frame in frames if frame.path.stem.casefold() in emotions]
    for frame in peaks:
        try:
            found = _emotion(emotions[frame.path.stem.casefold()])
            name = reading.name(found, ORDER)
        except UnusableError as error:
            items.append(Skipped(origin=frame.origin, reason=str(error)))
            continue
        entry = Entry(
            origin=frame.origin,
            found=found,
            class_name=name,
            split=None,
            load=frame.picture,
        )
        items.append(_with_person(entry))
    notes = [
        f"left out: {plural(len(frames) - len(peaks), 'frame')} without an emotion of their own"
    ]
    # A frame may be there twice, in two sizes for example.
    if missing := len(emotions) - len({frame.path.stem.casefold() for frame in peaks}):
        notes.append(f"{plural(missing, '_emotion.txt file')} without a frame")
    found_ = Found(
        format=NAME,
        labels_from="_emotion.txt files",
        named=reading.names_classes,
        notes=tuple(notes),
    )
    return Listing(items=tuple(items), found=found_, layout=LAYOUT)


def _emotion(file: SourceFile) -> str:
    """The number in a file such as ``   3.0000000e+00``."""
    text = file.read()[:_MOST_BYTES].decode("ascii", "replace")
    number = as_number(text)
    if number is None:
        raise UnusableError(f"{file.path.name} holds no number")
    return number


FORMAT = KnownFormat(
    key="ck+",
    name=NAME,
    order=ORDER,
    where="https://www.jeffcohn.net/Resources/",
    licence="non-commercial research, on request",
    layouts="cohn-kanade-images with Emotion; CK+48's class folders",
    find=find,
)
