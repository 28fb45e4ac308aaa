"""How a page is looked at: phone, laptop and paper, in light and in dark."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


#: One of a page's folds, opened as a reader would.
OPEN = "document.querySelectorAll('details').forEach(fold => { fold.open = true; })"


@dataclass(frozen=True, kw_only=True)
class View:
    """A window and the reader's preferences.

    Attributes:
        width, height: of the window, in CSS pixels.
    """

    name: str
    width: int
    height: int
    scheme: Literal["light", "dark"] = "light"
    media: Literal["screen", "print"] = "screen"

    def page(self, browser: Browser, source: Path | str) -> Page:
        """A new window, cut off from the network, with a file or a page's text in it."""
        page = browser.new_page(
            viewport={"width": self.width, "height": self.height},
            color_scheme=self.scheme,
            offline=True,
        )
        page.emulate_media(media=self.media, color_scheme=self.scheme)
        if isinstance(source, Path):
            page.goto(source.as_uri())
        else:
            page.set_content(source)
        return page


#: An A4 sheet less the margins of the page's own style, 2 x 15 mm, at 96 pixels per inch.
_SHEET = (680, 1009)
_SIZES = {"phone": (390, 844), "laptop": (1280, 800), "print": _SHEET}

VIEWS = tuple(
    View(
        name=f"{name} {scheme}",
        width=_SIZES[name][0],
        height=_SIZES[name][1],
        scheme=scheme,
        media="print" if name == "print" else "screen",
    )
    for name, scheme in product(_SIZES, ("light", "dark"))
)
LAPTOP = next(view for view in VIEWS if view.name == "laptop light")
FIRST_SCREEN = View(name="first screen", width=1440, height=900)
