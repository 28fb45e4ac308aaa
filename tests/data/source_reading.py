"""Opening and exhausting sources in tests."""

from pathlib import Path

from fer_tune.data.listing import Listing, Reading, Skipped
from fer_tune.data.pixels import UnusableError
from fer_tune.data.sources import list_source


def read(source: Path | str, reading: Reading | None = None) -> Listing:
    return list_source(str(source), reading or Reading())


def skipped(source: Listing) -> dict[str, str]:
    """Every fault, also those that show on loading."""
    faults = {}
    for item in source.items:
        if isinstance(item, Skipped):
            faults[item.origin] = item.reason
        else:
            try:
                item.load()
            except UnusableError as error:
                faults[item.origin] = str(error)
    return faults
