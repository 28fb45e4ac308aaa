"""Matplotlib figures as SVG text: deterministic bytes, for light and dark mode.

Text and axes are drawn in a placeholder colour that is replaced by ``currentColor``, so they take
the text colour of the page. Text stays text, in a font named once: files are small and searchable.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from html import escape
from io import StringIO
from typing import Any

import matplotlib
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from analysis.report.presentation.blocks import Drawing, Picture, Table
from fer_tune.escaping import one_line

#: Placeholder colour of text, axes and grid; no palette colour may equal it.
INK = "#010203"

_STYLE: dict[Any, Any] = {
    "text.parse_math": False,  # a name may contain two dollar signs
    "svg.hashsalt": "fer-tune",
    "svg.fonttype": "none",
    "path.simplify": True,
    "font.size": 10.0,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
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

#: Points per inch, which SVG counts in.
_DPI = 72

#: Fonts with the text widths that Matplotlib measures: its own, or a similar one.
_FONT = "DejaVu Sans, Verdana, sans-serif"

#: A tag; in attributes Matplotlib writes ``>`` as ``&gt;``. Text between tags may look like an
#: attribute.
_TAG = re.compile(r"<[^>]*>")

#: Attributes with coordinates, and numbers in them with more decimals than are visible.
_COORDINATES = re.compile(r'\s(?:d|x|y|width|height|transform)="[^"]*"')
_LONG = re.compile(r"-?\d+\.\d{3,}")

#: A standalone figure has no page from which to take its text colour.
_ALONE = "<style>svg{color:#1b1b1b}@media(prefers-color-scheme:dark){svg{color:#e8e8e8}}</style>"


def draw(
    name: str,
    title: str,
    description: str,
    size: tuple[float, float],
    paint: Callable[[Figure], None],
) -> Drawing:
    """A standalone SVG of what ``paint`` draws on a figure of ``size`` inches.

    Args:
        name: unique on the page; every id in the SVG starts with it.
        title, description: the accessible name and description.
    """
    with matplotlib.rc_context(_STYLE), warnings.catch_warnings():
        # The browser draws the text with its own fonts, whose glyphs differ from Matplotlib's.
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        # Names may be longer than the figure is wide.
        warnings.filterwarnings("ignore", "constrained_layout not applied", UserWarning)
        figure = Figure(figsize=size, dpi=_DPI)
        canvas = FigureCanvasSVG(figure)
        paint(figure)
        out = StringIO()
        # `savefig` would draw everything twice. No date and no creator: the bytes may depend on
        # the data alone.
        canvas.print_svg(  # type: ignore[no-untyped-call]
            out, metadata={"Date": None, "Creator": None}
        )
    svg = _tidy(out.getvalue(), name, title, description)
    return Drawing(name=name, title=title, description=description, svg=svg)


def picture(
    name: str,
    title: str,
    description: str,
    size: tuple[float, float],
    paint: Callable[[Figure], None],
    *,
    data: Table,
    wide: bool = True,
) -> Picture:
    """What :func:`draw` makes, with its data."""
    return Picture(drawing=draw(name, title, description, size, paint), data=data, wide=wide)


def inline(svg: str) -> str:
    """A standalone SVG as an element of a page: no prolog, no namespaces, the page's colour."""
    body = svg[svg.index("<svg") :].replace(_ALONE, "")
    return _TAG.sub(lambda tag: _of_page(tag[0]), body)


def _of_page(tag: str) -> str:
    return re.sub(r'\sxmlns(:xlink)?="[^"]*"', "", tag).replace("xlink:href", "href")


def _tidy(raw: str, name: str, title: str, description: str) -> str:
    svg = raw[raw.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = _TAG.sub(lambda tag: _tidy_tag(tag[0], name), svg)
    labels = (
        f'<title id="{name}-title">{escape(one_line(title))}</title>'
        f'<desc id="{name}-desc">{escape(one_line(description))}</desc>'
    )
    opening = re.sub(r'\s(width|height)="[^"]*"', "", svg[: svg.index(">")])
    role = f' font-family="{_FONT}" role="img" aria-labelledby="{name}-title {name}-desc"'
    lines = f"{opening}{role}>{labels}{_ALONE}{svg[svg.index('>') + 1 :]}".splitlines()
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _tidy_tag(tag: str, name: str) -> str:
    tag = re.sub(r'\bid="', f'id="{name}-', tag)
    tag = tag.replace("url(#", f"url(#{name}-").replace('href="#', f'href="#{name}-')
    tag = tag.replace(INK, "currentColor")
    tag = re.sub(r"(?:; )?font-family: [^;\"]*", "", tag)
    tag = re.sub(r'\stransform="rotate\(-?0 [^"]*"', "", tag)
    return _COORDINATES.sub(lambda place: _LONG.sub(_rounded, place[0]), tag)


def _rounded(number: re.Match[str]) -> str:
    """Rounds to two decimals, a hundredth of the width of a line."""
    text = f"{float(number[0]):.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
