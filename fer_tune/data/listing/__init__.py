"""The listing: what a source holds before any picture is decoded, and the options for it."""

from __future__ import annotations

from fer_tune.data.listing.entries import (
    FOLDERS,
    NO_CLASS_FOLDER,
    Entry,
    Found,
    Listing,
    Skipped,
    printable,
)
from fer_tune.data.listing.reading import LabelOptions, Reading, as_number

__all__ = [
    "FOLDERS",
    "NO_CLASS_FOLDER",
    "Entry",
    "Found",
    "LabelOptions",
    "Listing",
    "Reading",
    "Skipped",
    "as_number",
    "printable",
]
