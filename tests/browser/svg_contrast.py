"""Contrast of the labels in figures, measured: axe-core does not look into SVG.

Every label is hidden, the figure is photographed, and the label's colour is held against the
pixels that it stood on. That covers ink on the page as well as text in a heat map's cells.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

if TYPE_CHECKING:
    from playwright.sync_api import Page

#: WCAG 2.2, success criterion 1.4.3, for text of usual size.
ENOUGH = 4.5
#: Share of a label's ground that may be too near to its colour: a line that crosses it, the cell
#: beside it.
_SPOILT = 0.3

#: A photograph takes as long as the page that it is taken of.
_FIGURES_ALONE = "table, caption, figcaption, p, ul { display: none !important; }"
_LABELS = """
(svg) => {
  const frame = svg.getBoundingClientRect();
  return [...svg.querySelectorAll('text')].filter((text) => text.textContent.trim()).map((text) => {
    const box = text.getBoundingClientRect(), style = getComputedStyle(text);
    let opacity = parseFloat(style.fillOpacity);
    for (let up = text; up !== svg.parentElement; up = up.parentElement)
      opacity *= parseFloat(getComputedStyle(up).opacity);
    return {
      text: text.textContent.trim(),
      place: [box.left - frame.left, box.top - frame.top, box.right - frame.left,
              box.bottom - frame.top],
      colour: style.fill.match(/[0-9.]+/g).slice(0, 3).map(Number),
      opacity,
    };
  });
}
"""


def faint_labels(page: Page) -> list[str]:
    """Labels of the visible figures that are too faint on their ground, in words."""
    page.add_style_tag(content=_FIGURES_ALONE)
    figures = page.locator("svg:visible")
    labels = [figure.evaluate(_LABELS) for figure in figures.all()]
    page.add_style_tag(content="svg text { visibility: hidden !important; }")
    return [
        f"{label['text']!r}: {share:.0%} of its ground is too near to rgb{tuple(label['colour'])}"
        for figure, reported in zip(figures.all(), labels, strict=True)
        for label, share in _measured(figure.screenshot(animations="disabled"), reported)
        if share > _SPOILT
    ]


def _measured(
    photograph: bytes, labels: list[dict[str, Any]]
) -> list[tuple[dict[str, Any], float]]:
    with Image.open(BytesIO(photograph)) as image:
        pixels = np.asarray(image.convert("RGB"), dtype=np.float64)
    return [
        (label, float((contrast(label["colour"], label["opacity"], ground) < ENOUGH).mean()))
        for label in labels
        if (ground := _crop(pixels, label["place"])).size
    ]


def _crop(pixels: NDArray[np.float64], place: list[float]) -> NDArray[np.float64]:
    left, top, right, bottom = (round(edge) for edge in place)
    return pixels[max(top, 0) : bottom, max(left, 0) : right].reshape(-1, 3)


def contrast(
    colour: list[float], opacity: float, ground: NDArray[np.float64]
) -> NDArray[np.float64]:
    """WCAG's contrast ratio, 1 to 21, of a colour that lets some ground through.

    Args:
        colour: red, green, blue in [0, 255].
        ground: (n, 3) of the same.
    """
    mixed = opacity * np.array(colour) + (1 - opacity) * ground
    a, b = _luminance(mixed), _luminance(ground)
    ratio: NDArray[np.float64] = (np.maximum(a, b) + 0.05) / (np.minimum(a, b) + 0.05)
    return ratio


def _luminance(colours: NDArray[np.float64]) -> NDArray[np.float64]:
    """Relative luminance of sRGB colours, (n, 3) to (n,), in [0, 1] (WCAG 2.2, glossary)."""
    share = colours / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    light: NDArray[np.float64] = linear @ np.array([0.2126, 0.7152, 0.0722])
    return light
