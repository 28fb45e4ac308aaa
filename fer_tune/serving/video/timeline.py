"""The timeline of a video: one HTML file, with a panel per face, that needs nothing else.

Shapes are stretched with the page and text is not, so that both fit a phone. No scripts.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fer_tune.data.pixels import Pixels
from fer_tune.escaping import one_line
from fer_tune.serving.video.history import History, Lane, Span, clock
from fer_tune.serving.video.palette import colour_of, ink_on
from fer_tune.serving.video.timeline_style import STYLE

#: Faces that are shown, those seen longest: a crowd has hundreds.
MOST_FACES = 12
#: Points of a curve: more than a screen shows.
_MOST_POINTS = 600
#: Rows of the table below a panel.
_MOST_ROWS = 200
#: Spans narrower than this share of the panel are not seen.
_LEAST_SHARE = 0.0005
#: Spans narrower than this have no edge.
_THIN_SHARE = 0.01
#: Classes of labels by the least width of the panel in pixels, as in the style sheet.
_ROOM = {"fits-phone": 290, "fits": 620, "fits-large": 880}
#: Length in seconds from which areas have no edges, which would cover them.
_LONG_S = 300
#: Of a letter in a label, and of the label's margins, in pixels.
_LETTER, _MARGIN = 7.6, 10
#: Seconds between labels of the time axis, one of which gives at most ``_MOST_TICKS``.
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 18000)
_MOST_TICKS = 10


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a timeline says about its making.

    Attributes:
        video: the file's name.
        model: folder, arm and score in one line.
        threshold: probability below which a prediction is uncertain.
        smoothing: time constant in seconds.
        notes: further sentences, such as that the file was cut off.
    """

    video: str
    model: str
    threshold: float
    smoothing: float
    notes: Sequence[str] = ()


def timeline(history: History, facts: Facts) -> str:
    """The page."""
    return "\n".join(_page(history, facts)) + "\n"


def _page(history: History, facts: Facts) -> Iterator[str]:
    title = f"Expressions in {_text(facts.video)}"
    yield (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{STYLE}</style></head><body>"
    )
    lanes = sorted(history.lanes, key=lambda lane: -lane.seconds)[:MOST_FACES]
    lanes.sort(key=lambda lane: lane.number)
    yield f"<header><h1>{title}</h1>{_facts(history, facts)}</header><main>"
    if lanes:
        yield _legend(history.classes)
    else:
        yield "<p>No face was found.</p>"
    for lane in lanes:
        yield _panel(lane, history)
    left = len(history.lanes) - len(lanes)
    if left:
        yield f"<p>{left} further face{'s were' if left > 1 else ' was'} seen for less time.</p>"
    yield f"</main><footer>{_explained(facts)}</footer></body></html>"


def _facts(history: History, facts: Facts) -> str:
    count = len(history.lanes)
    read = (
        f"{clock(history.seconds)} of video, {history.frames:,} frames, "
        f"{history.predicted:,} predicted; {count} face{'s' * (count != 1)}"
    )
    lines = [f'<p class="faint">{read}</p>', f'<p class="faint">Model: {_text(facts.model)}</p>']
    if count > 1:
        lines.append(f"<p>All faces: {_shares(history, history.lanes)}</p>")
    return "".join([*lines, *(f"<p>Note: {_text(note)}.</p>" for note in facts.notes)])


def _explained(facts: Facts) -> str:
    smoothed = (
        f"Probabilities are smoothed over time (time constant {facts.smoothing:g} s). "
        if facts.smoothing
        else "Probabilities are not smoothed. "
    )
    return (
        '<p class="faint">The coloured strip names the most probable expression; hatched: '
        f"uncertain, its probability is below {facts.threshold:.0%}. The area below shows the "
        f"probabilities of all expressions. {smoothed}A face that leaves the picture comes back "
        "under another number. Predictions describe what a face looks like to the model, not what "
        "somebody feels.</p>"
    )


def _legend(classes: Sequence[str]) -> str:
    chips = [
        f'<li><i style="background:{colour_of(number)}"></i>{_text(name)}</li>'
        for number, name in enumerate(classes)
    ]
    return f'<ul class="legend">{"".join(chips)}<li><i class="unsure"></i>uncertain</li></ul>'


def _panel(lane: Lane, history: History) -> str:
    spans = history.spans(lane)
    seen = f"between {clock(spans[0].start)} and {clock(spans[-1].end)}"
    summary = _shares(history, [lane])
    return (
        f'<section class="face"><div class="head"><img alt="" src="{_portrait(lane.portrait)}">'
        f"<div><h2>Face {lane.number}</h2>"
        f'<p class="faint">Seen for {clock(lane.seconds)} {seen}</p><p>{summary}</p></div></div>'
        f'<div class="plot" role="img" aria-label="Face {lane.number}: {summary}">'
        f'<div class="strip">{_strip(spans, history)}</div>'
        f'<div class="area">{_levels()}{_area(lane, history)}</div>'
        f'<div class="axis">{_axis(history.seconds)}</div></div>'
        f"{_table(spans)}</section>"
    )


def _shares(history: History, lanes: Sequence[Lane]) -> str:
    certain, uncertain = history.shares(lanes)
    named = sorted(certain.items(), key=lambda item: -item[1])
    shown = [f"{_text(name)} {share:.0%}" for name, share in named if share >= 0.005]
    return ", ".join(shown + ([f"uncertain {uncertain:.0%}"] if uncertain >= 0.005 else []))


def _strip(spans: Sequence[Span], history: History) -> str:
    return "".join(_block(span, history) for span in spans)


def _block(span: Span, history: History) -> str:
    share = span.seconds / history.seconds if history.seconds else 1.0
    if share < _LEAST_SHARE:
        return ""
    label = f"{span.expression}?" if span.uncertain else span.expression
    needed = len(one_line(label)) * _LETTER + _MARGIN
    kinds = [name for name, width in _ROOM.items() if share * width >= needed]
    kinds += ["unsure"] if span.uncertain else []
    kinds += ["thin"] if share < _THIN_SHARE else []
    colour = colour_of(list(history.classes).index(span.expression))
    paint = "" if span.uncertain else f";background:{colour};color:{ink_on(colour)}"
    hint = f"{clock(span.start)} to {clock(span.end)}: {label} {span.probability:.0%}"
    return (
        f'<div class="{" ".join(kinds)}" title="{_text(hint)}" style="left:'
        f'{_percent(span.start, history)};width:{share:.3%}{paint}">'
        f"<span>{_text(label)}</span></div>"
    )


def _percent(time: float, history: History) -> str:
    return f"{time / history.seconds if history.seconds else 0:.3%}"


def _levels() -> str:
    return "".join(
        f'<div class="level" style="top:{100 - level}%">{level}%</div>' for level in (0, 50, 100)
    )


def _area(lane: Lane, history: History) -> str:
    runs = lane.stretches()
    paths = [path for run in runs for path in _stacked(*_points(lane, run), history)]
    edges = ' class="bare"' if history.seconds > _LONG_S else ""
    return f'<svg{edges} viewBox="0 0 1000 100" preserveAspectRatio="none">{"".join(paths)}</svg>'


def _points(lane: Lane, run: Sequence[int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Times (n) and probabilities (n, classes); of long runs means of neighbours."""
    parts = np.array_split(np.array(run), min(len(run), _MOST_POINTS))
    times = [lane.starts[part[0]] for part in parts] + [lane.ends[run[-1]]]
    rows = [np.mean([lane.rows[at] for at in part], axis=0) for part in parts]
    return np.array(times), np.array([*rows, rows[-1]], dtype=np.float64)


def _stacked(
    times: NDArray[np.float64], rows: NDArray[np.float64], history: History
) -> Iterator[str]:
    x = times / (history.seconds or 1.0) * 1000
    tops = 100 - 100 * np.cumsum(rows, axis=1)
    bottoms = np.concatenate([np.full((len(x), 1), 100.0), tops[:, :-1]], axis=1)
    for number, name in enumerate(history.classes):
        upper = [f"{a:.1f} {b:.1f}" for a, b in zip(x, tops[:, number], strict=True)]
        lower = [f"{a:.1f} {b:.1f}" for a, b in zip(x, bottoms[:, number], strict=True)]
        yield (
            f'<path fill="{colour_of(number)}" d="M{"L".join(upper + lower[::-1])}Z">'
            f"<title>{_text(name)}</title></path>"
        )


def _axis(seconds: float) -> str:
    """Labels of the time axis; every second one is left out on a phone."""
    step = next((one for one in _STEPS if seconds / one <= _MOST_TICKS), max(_STEPS[-1], seconds))
    count = int(seconds / step + 1e-9) + 1
    return "".join(
        f'<div class="tick" style="left:{number * step / (seconds or 1):.3%}">'
        f"{clock(number * step, tenths=step < 1)}</div>"
        for number in range(count)
    )


def _table(spans: Sequence[Span]) -> str:
    head = "".join(f"<th>{name}</th>" for name in ("from", "to", "expression", "probability", ""))
    rows = [
        f"<tr>{_number(clock(one.start))}{_number(clock(one.end))}<td>{_text(one.expression)}</td>"
        f"{_number(f'{one.probability:.2f}')}<td>{'uncertain' if one.uncertain else ''}</td></tr>"
        for one in spans[:_MOST_ROWS]
    ]
    left = len(spans) - len(rows)
    more = f'<p class="faint">and {left:,} more</p>' if left else ""
    return (
        f"<details><summary>Table</summary><table><tr>{head}</tr>{''.join(rows)}</table>{more}"
        "</details>"
    )


def _number(text: str) -> str:
    return f'<td class="number">{text}</td>'


def _portrait(pixels: Pixels) -> str:
    """A JPEG as a data URL."""
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(out.getvalue()).decode()}"


def _text(value: str) -> str:
    return escape(one_line(value))
