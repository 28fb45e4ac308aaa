"""Reports without their figures, which take most of a report's time.

For tests of the commands that write one. What figures show is tested in tests/analysis, how they
look in tests/browser.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any
from unittest.mock import patch

from matplotlib.figure import Figure


class _Blank:
    """A canvas of Matplotlib that writes an empty picture."""

    def __init__(self, figure: Figure) -> None:
        self._figure = figure

    def print_svg(self, out: StringIO, metadata: dict[str, Any]) -> None:
        out.write('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"></svg>')


@contextmanager
def undrawn() -> Iterator[None]:
    """Reports that are written inside have all files and words; their figures are empty, and there
    are no interactive plots."""
    with (
        patch("analysis.report.presentation.svg.FigureCanvasSVG", _Blank),
        patch("analysis.outputs.explore.write_explore", return_value=None),
    ):
        yield
