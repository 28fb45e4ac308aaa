"""Opening and exhausting sources in tests."""

from pathlib import Path

from fer_tune.data.pixels import UnusableError
from fer_tune.data.sources import Reading, Skipped, Source, open_source


def read(source: Path | str, reading: Reading | None = None) -> Source:
    return open_source(str(source), reading or Reading(), seed=0)


def skipped(source: Source) -> dict[str, str]:
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
