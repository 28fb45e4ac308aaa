"""Classes, splits and groups from file names, by a regular expression of the user's."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fer_tune.data.files.clutter import is_picture_name
from fer_tune.data.files.tree import Tree
from fer_tune.data.labels.splits import split_of_folders
from fer_tune.data.listing import Entry, Found, Listing, Reading, Skipped
from fer_tune.data.pixels import UnusableError
from fer_tune.errors import DataError

_GROUPS = {"class", "split", "group"}
_LAYOUT = "The expression of --class-from must match the paths of pictures"
_EXAMPLE = r"For example --class-from '(?P<group>\w{4})(?P<class>[A-Z]{2})S\.JPG$'"
#: Longest path that is matched: an expression may take exponential time in a text's length.
LONGEST = 512


def list_by_pattern(tree: Tree, reading: Reading) -> Listing:
    """Pictures whose relative path matches ``--class-from``; the others are counted.

    Raises:
        DataError: an invalid expression, one without ``class``, or no picture matches.
    """
    pattern = _compiled(reading.labels.pattern or "")
    files = [file for file in tree.files if is_picture_name(file.path)]
    matched = [(file, pattern.search(file.origin[:LONGEST])) for file in files]
    others = [file.origin for file, match in matched if match is None]
    if files and len(others) == len(files):
        raise DataError(
            "matches no picture",
            where="--class-from",
            value=pattern.pattern,
            remedy=f"A path of the source: {others[0]}",
        )

    def items() -> Iterator[Entry | Skipped]:
        for file, match in matched:
            if match is None:
                continue
            said = match.groupdict()
            try:
                split = split_of_folders(file.path, reading)
                if said.get("split"):
                    split = reading.split(said["split"])
                    if split is None:
                        raise UnusableError(f"unknown split {said['split'][:20]!r}")
                if not said["class"]:
                    raise UnusableError("its class is empty")
                name = reading.name(said["class"])
            except UnusableError as error:
                yield Skipped(origin=file.origin, reason=str(error))
                continue
            yield Entry(
                origin=file.origin,
                found=said["class"],
                class_name=name,
                split=split,
                load=file.picture,
                group=said.get("group") or None,
            )

    count = f"{len(others)} of {len(files)} pictures do not match --class-from"
    notes = (f"{count}, the first of them {others[0]}",) if others else ()
    found = Found(labels_from="file names", named=reading.names_classes, notes=notes)
    return Listing(items=tuple(items()), found=found, layout=_LAYOUT)


def _compiled(text: str) -> re.Pattern[str]:
    try:
        pattern = re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        raise DataError(
            f"is not a regular expression: {error}",
            where="--class-from",
            value=text,
            remedy=_EXAMPLE,
        ) from None
    if "class" not in pattern.groupindex or not set(pattern.groupindex) <= _GROUPS:
        raise DataError(
            "needs the named group class, and may have split and group",
            where="--class-from",
            value=text,
            remedy=_EXAMPLE,
        )
    return pattern
