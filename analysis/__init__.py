"""Reads a results folder, estimates, decides and writes the report; needs neither torch nor Ray.

::

    import analysis

    search = analysis.load("results/quickstart")     # tidy pandas frames
    paths = analysis.write_report("results/quickstart")

Importing this package is free: pandas comes with :func:`load`, matplotlib with
:func:`write_report`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analysis.loading import Search
    from analysis.report import ReportPaths
    from analysis.settings import Settings
    from fer_tune.storage import Place

__all__ = ["load", "write_report"]


def load(folders: Place | str | Sequence[Place | str]) -> Search:
    """A results folder, or several as one, as frames; see :class:`analysis.loading.Search`.

    Args:
        folders: a path or a URL, or several.

    Raises:
        ResultsError: a folder is no results folder or has another schema.
    """
    from analysis.loading import load as load_folders

    return load_folders(folders)


def write_report(
    folders: Place | str | Sequence[Place | str],
    out: Place | str | None = None,
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
        ResultsError: a folder is no results folder or has another schema, or ``out`` cannot be
            written.
    """
    from analysis.report import write_report as write

    return write(folders, out, settings)
