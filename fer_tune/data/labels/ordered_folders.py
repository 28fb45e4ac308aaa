"""Class folders whose names are numbers of a known data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from fer_tune.data.files.tree import Tree
from fer_tune.data.labels.class_folders import list_class_folders
from fer_tune.data.listing import Entry, Listing, Reading, Skipped, as_number
from fer_tune.data.pixels import UnusableError


def list_numbered_folders(tree: Tree, reading: Reading, order: Mapping[str, str]) -> Listing | None:
    """Class folders with ``order``'s numbers; None if a folder has another name."""
    listing = list_class_folders(tree, reading)
    found = {entry.found for entry in listing.entries}
    if not found or not {as_number(name) for name in found} <= set(order):
        return None
    return with_order(listing, reading, order)


def with_order(listing: Listing, reading: Reading, order: Mapping[str, str]) -> Listing:
    """The listing with numbers as class names replaced by those of ``order``."""

    def change(entry: Entry) -> Entry | Skipped:
        try:
            return replace(entry, class_name=reading.name(entry.found, order))
        except UnusableError as error:
            return Skipped(origin=entry.origin, reason=str(error))

    return listing.changed(change)
