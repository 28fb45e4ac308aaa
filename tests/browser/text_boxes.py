"""Where a page's text stands, what of it is cut off and what overlaps.

Coordinates are CSS pixels from the window's upper left corner, down and to the right.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from playwright.sync_api import Page

#: Letters fill about the middle 60 % of a label's height, so that much of two must not touch. At a
#: figure's edge half as much above and beneath is spared.
_INSET = 0.2
#: Rounding of a browser's layout.
_SLACK = 1.0

_COLLECT = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")


@dataclass(frozen=True, kw_only=True)
class Box:
    """A line of text, a label of a figure, or an area that scrolls.

    Attributes:
        group: the figure that a label stands in; empty for text; ``area`` for what scrolls.
        edges: left, top, right, bottom.
        room: the same of where a reader can get to see it.
        corners: of a label's letters, in turn; (4, 2), and nothing for others.
    """

    text: str
    group: str
    edges: tuple[float, float, float, float]
    room: tuple[float, float, float, float]
    corners: tuple[tuple[float, float], ...]

    @property
    def cut(self) -> float:
        """Pixels that stand out of its room."""
        left, top, right, bottom = self.edges
        room = self.room
        return max(room[0] - left, room[1] - top, right - room[2], bottom - room[3])


def boxes(page: Page) -> list[Box]:
    """Everything that is shown and holds text. What a closed fold holds is not shown."""
    return [_box(found) for found in page.evaluate(_COLLECT, _INSET)]


def cut_off(found: Iterable[Box]) -> list[str]:
    """What leaves its room, in words; the worst first."""
    worst = sorted((box for box in found if box.cut > _SLACK), key=lambda box: -box.cut)
    return [f"{box.group or 'text'} {box.text[:50]!r} by {box.cut:.0f} px" for box in worst]


def overlaps(found: Iterable[Box]) -> list[str]:
    """Pairs of labels of one figure whose letters touch, in words."""
    groups: dict[str, list[Box]] = {}
    for box in found:
        if box.group.startswith("svg"):
            groups.setdefault(box.group, []).append(box)
    return [
        f"{name}: {one.text!r} on {other.text!r}"
        for name, labels in groups.items()
        for one, other in combinations(labels, 2)
        if _near(one, other) and not separated(np.array(one.corners), np.array(other.corners))
    ]


def separated(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    """Whether two convex polygons, (n, 2) corners in turn, are apart: theorem of the separating
    axis, tried on the normals of all edges. Touching by less than the slack counts as apart.
    """
    for polygon in (one, other):
        for edge in np.roll(polygon, -1, axis=0) - polygon:
            normal = np.array([-edge[1], edge[0]]) / max(float(np.hypot(*edge)), 1e-9)
            a, b = one @ normal, other @ normal
            if min(a.max() - b.min(), b.max() - a.min()) < _SLACK:
                return True
    return False


def _near(one: Box, other: Box) -> bool:
    a, b = one.edges, other.edges
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _box(found: dict[str, Any]) -> Box:
    return Box(
        text=found["text"],
        group=found["group"],
        edges=_four(found["edges"]),
        room=_four(found["room"]),
        corners=tuple((x, y) for x, y in found["corners"]),
    )


def _four(values: Sequence[float]) -> tuple[float, float, float, float]:
    a, b, c, d = values
    return a, b, c, d
