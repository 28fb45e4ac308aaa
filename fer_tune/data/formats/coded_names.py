"""Data sets whose file names hold person and expression."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial

from fer_tune.data.files.clutter import is_picture_name
from fer_tune.data.files.tree import Tree
from fer_tune.data.formats.base import KnownFormat
from fer_tune.data.labels.splits import split_of_folders
from fer_tune.data.listing import Entry, Found, Listing, Reading, Skipped
from fer_tune.data.pixels import UnusableError
from fer_tune.wording import plural

#: Share of pictures whose names must match.
_MOST = 0.9


def coded_format(
    *,
    key: str,
    name: str,
    order: Mapping[str, str],
    pattern: re.Pattern[str],
    where: str,
    example: str,
) -> KnownFormat:
    """A data set for non-commercial research that is recognised by the names of its files.

    Args:
        key, name, order, where: as of :class:`KnownFormat`.
        pattern: as of :func:`list_coded`.
        example: of a file's name.
    """
    return KnownFormat(
        key=key,
        name=name,
        order=order,
        where=where,
        licence="non-commercial research",
        layouts=f"file names such as {example}, in any folders",
        find=partial(list_coded, name=name, pattern=pattern, order=order),
    )


def list_coded(
    tree: Tree,
    reading: Reading,
    *,
    name: str,
    pattern: re.Pattern[str],
    order: Mapping[str, str],
) -> Listing | None:
    """Pictures by the code in their names; None unless nearly all names have one.

    Args:
        pattern: matches the whole file name, with the groups ``code`` and ``person``.
        order: canonical class names by code.
    """
    pictures = [file for file in tree.files if is_picture_name(file.path)]
    matches = [(file, pattern.fullmatch(file.path.name)) for file in pictures]
    others = [file.origin for file, match in matches if match is None]
    if not pictures or len(others) > (1 - _MOST) * len(pictures):
        return None
    items: list[Entry | Skipped] = []
    for file, match in matches:
        if match is None:
            continue
        code = match["code"].upper()
        try:
            class_name = reading.name(order[code])
        except UnusableError as error:
            items.append(Skipped(origin=file.origin, reason=str(error)))
            continue
        items.append(
            Entry(
                origin=file.origin,
                found=code,
                class_name=class_name,
                split=split_of_folders(file.path, reading),
                load=file.picture,
                group=match["person"].upper(),
            )
        )
    notes = (
        (f"left out: {plural(len(others), 'picture')} with other names, such as {others[0]}",)
        if others
        else ()
    )
    found = Found(format=name, labels_from="file names", named=reading.names_classes, notes=notes)
    return Listing(items=tuple(items), found=found, layout=f"{name} names its pictures by codes")
