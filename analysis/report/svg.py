"""Matplotlib figures as SVG text: the same bytes every time, at home in light and dark.

Text and axes are drawn in one marker colour that becomes ``currentColor`` afterwards, so the
page's own ink decides. Words stay text, in a font named once: small files that can be searched.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape
from io import StringIO
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from analysis.report.blocks import Drawing

#: Marker colour of text, axes and grid; no palette colour may equal it.
INK = "#010203"

_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "fer-tune",
    "svg.fonttype": "none",
    "path.simplify": True,
    "font.size": 10.0,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "axes.titlesize": 11.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": INK,
    "grid.alpha": 0.12,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}

#: As wide as Matplotlib took the words to be: its own font, or one much like it.
_FONT = "DejaVu Sans, Verdana, sans-serif"

#: Attributes that hold coordinates, and numbers in them with more decimals than can be seen.
_COORDINATES = re.compile(r'\s(?:d|x|y|width|height|transform)="[^"]*"')
_LONG = re.compile(r"-?\d+\.\d{3,}")

#: A picture on its own has no page to take its ink from.
_ALONE = "<style>svg{color:#1b1b1b}@media(prefers-color-scheme:dark){svg{color:#e8e8e8}}</style>"


def draw(
    name: str,
    title: str,
    description: str,
    size: tuple[float, float],
    paint: Callable[[Figure], None],
) -> Drawing:
    """What ``paint`` puts on a figure of ``size`` inches, as a standalone SVG.

    Args:
        name: unique on the page; every id in the SVG starts with it.
        title, description: the accessible name and description.
    """
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=size)
        paint(figure)
        out = StringIO()
        # No date and no creator: the bytes may depend on the data alone.
        figure.savefig(
            out, format="svg", transparent=True, metadata={"Date": None, "Creator": None}
        )
    svg = _tidy(out.getvalue(), name, title, description)
    return Drawing(name=name, title=title, description=description, svg=svg)


def inline(svg: str) -> str:
    """A standalone SVG as an element of a page: no prolog, no namespaces, the page's ink."""
    body = svg[svg.index("<svg") :].replace(_ALONE, "")
    body = re.sub(r'\sxmlns(:xlink)?="[^"]*"', "", body)
    return body.replace("xlink:href", "href")


def _tidy(raw: str, name: str, title: str, description: str) -> str:
    svg = raw[raw.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = svg.replace("url(#", f"url(#{name}-").replace('href="#', f'href="#{name}-')
    svg = svg.replace(INK, "currentColor")
    svg = re.sub(r"(?:; )?font-family: [^;\"]*", "", svg)
    svg = re.sub(r'\stransform="rotate\(-?0 [^"]*"', "", svg)
    svg = _COORDINATES.sub(lambda place: _LONG.sub(_rounded, place[0]), svg)
    labels = (
        f'<title id="{name}-title">{escape(title)}</title>'
        f'<desc id="{name}-desc">{escape(description)}</desc>'
    )
    opening = re.sub(r'\s(width|height)="[^"]*"', "", svg[: svg.index(">")])
    role = f' font-family="{_FONT}" role="img" aria-labelledby="{name}-title {name}-desc"'
    lines = f"{opening}{role}>{labels}{_ALONE}{svg[svg.index('>') + 1 :]}".splitlines()
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _rounded(number: re.Match[str]) -> str:
    """To two decimals: a hundredth of a point, where a line is a whole one wide."""
    text = f"{float(number[0]):.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
