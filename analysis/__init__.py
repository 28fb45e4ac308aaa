"""Reads a results folder, estimates, decides and writes the report; needs neither torch nor Ray.

::

    import analysis

    search = analysis.load("results/quickstart")     # tidy pandas frames
    paths = analysis.write_report("results/quickstart")
    report = analysis.read_report(paths.json)        # typed, see docs/report-json.md

Importing this package loads nothing else: :func:`load` imports pandas, :func:`write_report`
Matplotlib.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analysis.inputs.search import Search
    from analysis.report import ReportPaths
    from analysis.report.schema import Report
    from analysis.settings import Settings
    from fer_tune.storage import AnyPath

__all__ = ["load", "read_report", "write_report"]


def load(folders: AnyPath | str | Sequence[AnyPath | str]) -> Search:
    """Loads a results folder, or several as one search, as pandas frames.

    Args:
        folders: a path or a URL, or several.

    Raises:
        ResultsError: a folder is not a results folder or has another schema.
    """
    from analysis.inputs.loading import load as load_folders

    return load_folders(folders)


def write_report(
    folders: AnyPath | str | Sequence[AnyPath | str],
    out: AnyPath | str | None = None,
    settings: Settings | None = None,
) -> ReportPaths:
    """Writes report.html, report.md, report.json and explore.html into ``out``.

    Args:
        folders: a results folder, on a path or at a URL, of a finished search or not, or several
            that become one report.
        out: by default ``report`` inside the results folder; of several, ``report-merged``
            inside the first.
        settings: thresholds and choices, see :class:`analysis.settings.Settings`.

    Raises:
        ResultsError: a folder is not a results folder or has another schema, or ``out`` cannot be
            written.
    """
    from analysis.report import write_report as write

    return write(folders, out, settings)


def read_report(path: AnyPath | str) -> Report:
    """Reads a report.json as typed objects.

    Args:
        path: the file, on a path or at a URL.

    Raises:
        ResultsError: the file cannot be read, is of another version (see docs/report-json.md), or
            is no complete report.
    """
    from analysis.report.reading import read_report as read

    return read(path)
