"""Formats of numbers, the same in the page, the Markdown and the terminal."""

from __future__ import annotations

from collections.abc import Iterable

#: Shown for a value that does not exist (a trial that never scored, a missing interval).
NOTHING = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
#: What near copies are, wherever the report speaks of them.
NEAR_COPIES = (
    "near copies are one photograph mirrored, compressed again, resized, shifted by up to 2 of 48 "
    "pixels, cropped by up to 10 %, or of other brightness or contrast"
)


def score(value: float | None) -> str:
    """A score in [0, 1] or a difference of scores, three decimals."""
    return NOTHING if value is None else f"{value:.3f}".replace("-", MINUS)


def points(value: float | None, *, sign: bool = False) -> str:
    """A difference of scores in points (hundredths), one decimal; with ``sign`` always signed."""
    if value is None:
        return NOTHING
    text = f"{100 * value:+.1f}" if sign else f"{100 * value:.1f}"
    return ("0.0" if text in ("+0.0", "-0.0") else text).replace("-", MINUS)


def signed_points(value: float | None) -> str:
    """A difference of scores in points, always with its sign."""
    return points(value, sign=True)


def percent(value: float | None) -> str:
    """A share in [0, 1] as whole per cent."""
    return NOTHING if value is None else f"{100 * value:.0f} %"


def probability(value: float | None) -> str:
    """A probability with two or three decimals; below 0.001 as ``< 0.001``."""
    if value is None:
        return NOTHING
    return "< 0.001" if 0 < value < 0.001 else f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def stated(name: str, value: float | None) -> str:
    """A probability with its name, as in "p = 0.04" and "p < 0.001"."""
    text = probability(value)
    return f"{name} {text}" if text.startswith("<") else f"{name} = {text}"


def count(value: float | None) -> str:
    """A whole number with thousands separators."""
    return NOTHING if value is None else f"{value:,.0f}"


def millions(value: float | None) -> str:
    """A number of parameters, in millions."""
    return NOTHING if value is None else f"{value / 1e6:.1f} M"


def hours(value: float | None) -> str:
    """Hours to three significant digits at most."""
    if value is None:
        return NOTHING
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def duration(seconds: float | None) -> str:
    """Seconds as hours and minutes, minutes, or seconds."""
    if seconds is None:
        return NOTHING
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def general(value: object) -> str:
    """A configuration's value or any other cell, in at most three significant digits."""
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)
    return str(value)


def capped(text: str) -> str:
    """``text`` with its first letter in upper case."""
    return text[:1].upper() + text[1:]


def listing(items: Iterable[str]) -> str:
    """Items separated by commas."""
    return ", ".join(items)


def plural(number: int, one: str, many: str = "") -> str:
    """``1 seed``, ``5 seeds``, ``5 studies``."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def units(kind: str) -> str:
    """Units of comparison in the plural: ``studies`` or ``seeds``."""
    return "studies" if kind == "study" else "seeds"


def money(value: float | None) -> str:
    """An amount in any currency: two decimals, thousands separators."""
    return NOTHING if value is None else f"{value:,.2f}"
