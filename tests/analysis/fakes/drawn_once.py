"""Reports of which nobody looks at the figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from analysis.outputs import explore
from analysis.report.calibration import figures as calibration
from analysis.report.classes import figures as classes
from analysis.report.presentation import svg
from analysis.report.presentation.blocks import Drawing


@contextmanager
def drawn_once() -> Iterator[None]:
    """Within it, a figure is drawn in the first report alone; the next ones show that drawing.

    So do they with the interactive plots. For tests of commands: drawing is most of the time that
    a report takes.
    """
    drawings: dict[str, Drawing] = {}
    plots: list[Any] = []
    of_search = explore._parts
    draw: Callable[..., Drawing] = svg.draw

    def draw_first(name: str, *rest: Any) -> Drawing:
        if name not in drawings:
            drawings[name] = draw(name, *rest)
        return drawings[name]

    def plots_first(search: Any) -> list[Any]:
        if not plots:
            plots.extend(of_search(search))
        return plots

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(explore, "_parts", plots_first)
        for module in (svg, calibration, classes):
            patch.setattr(module, "draw", draw_first)
        yield
