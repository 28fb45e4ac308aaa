"""Reads a results folder, estimates, decides and writes the report; needs neither torch nor Ray.

::

    import analysis

    search = analysis.load("results/quickstart")     # tidy pandas frames
    paths = analysis.write_report("results/quickstart")

Importing this package is free: pandas comes with :func:`load`, matplotlib with
:func:`write_report`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analysis.loading import Search
    from analysis.report import ReportPaths

__all__ = ["load", "write_report"]


def load(folder: Path | str) -> Search:
    """A results folder as frames; see :class:`analysis.loading.Search`.

    Raises:
        ResultsError: the folder is no results folder or has another schema.
    """
    from analysis.loading import load as load_folder

    return load_folder(folder)


def write_report(folder: Path | str, out: Path | str | None = None) -> ReportPaths:
    """Writes report.html, report.md and report.json into ``out``.

    Args:
        folder: a results folder, of a finished search or not.
        out: by default ``report`` inside the results folder.

    Raises:
        ResultsError: the folder is no results folder or has another schema.
    """
    from analysis.report import write_report as write

    return write(folder, out)
