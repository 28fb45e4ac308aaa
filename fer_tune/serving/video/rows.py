"""Predictions of a video as tables: a row per predicted frame and face, or a row per expression."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from rich.table import Table

from fer_tune.console import cells, plain_table, styled
from fer_tune.escaping import json_text
from fer_tune.serving.output import Format, as_text, frame_bytes
from fer_tune.serving.prediction import class_columns
from fer_tune.serving.video.following import SeenFrame, TrackedFace
from fer_tune.serving.video.history import History, clock

#: Columns besides those of the classes.
COLUMNS = (
    *("time_s", "frame", "face", "left", "top", "right", "bottom", "face_score"),
    *("expression", "probability", "uncertain"),
)
#: Types of the columns that are not float64.
_KINDS = {"frame": "int64", "face": "Int64", "expression": "str", "uncertain": "boolean"}


def rows_of(seen: SeenFrame, classes: Sequence[str]) -> list[dict[str, object]]:
    """A row per face of a predicted frame; one without a face if it shows none."""
    place: dict[str, object] = {
        **dict.fromkeys([*COLUMNS, *class_columns(classes, COLUMNS)]),
        "time_s": round(seen.frame.time, 6),
        "frame": seen.frame.number,
    }
    return [{**place, **_face(one, classes)} for one in seen.faces] or [place]


def encoded(rows: Sequence[dict[str, object]], classes: Sequence[str], form: Format) -> bytes:
    """The content of a file with those rows: JSON lines, CSV or Parquet."""
    if form == "jsonl":
        return "".join(f"{_line(row, classes)}\n" for row in rows).encode()
    return frame_bytes(frame_of(rows, classes), form)


def frame_of(rows: Sequence[dict[str, object]], classes: Sequence[str]) -> pd.DataFrame:
    """Rows of :func:`rows_of` as a frame with the same types, whatever is in it."""
    frame = pd.DataFrame(list(rows), columns=[*COLUMNS, *class_columns(classes, COLUMNS)])
    numbers = [name for name in frame.columns if name not in _KINDS]
    return frame.astype({**_KINDS, **dict.fromkeys(numbers, "float64")})


def table(history: History) -> Table:
    """A table for a terminal: per face, what it showed from when to when."""
    shown = plain_table([], "face", "from", "to", "expression", "probability")
    for lane in history.lanes:
        for span in history.spans(lane):
            mark = "  uncertain" if span.uncertain else ""
            shown.add_row(
                *cells(lane.number, clock(span.start), clock(span.end), span.expression),
                styled(f"{span.probability:.2f}", (mark, "dim")),
            )
    return shown


def plain_text(history: History) -> str:
    """The table as text without colour, for a file."""
    return as_text(table(history))


def _face(one: TrackedFace, classes: Sequence[str]) -> dict[str, object]:
    left, top, right, bottom = (round(edge, 1) for edge in one.box)
    return {
        **{"face": one.lane, "left": left, "top": top, "right": right, "bottom": bottom},
        "face_score": None if one.score is None else round(one.score, 4),
        "expression": one.expression,
        "probability": one.probability,
        "uncertain": one.uncertain,
        **dict(zip(class_columns(classes, COLUMNS), map(float, one.probabilities), strict=True)),
    }


def _line(row: dict[str, object], classes: Sequence[str]) -> str:
    edges = [row[edge] for edge in ("left", "top", "right", "bottom")]
    known = zip(classes, class_columns(classes, COLUMNS), strict=True)
    return json_text(
        {
            **{name: row[name] for name in ("time_s", "frame", "face")},
            "box": None if row["face"] is None else edges,
            **{n: row[n] for n in ("face_score", "expression", "probability", "uncertain")},
            "probabilities": None
            if row["face"] is None
            else {name: row[column] for name, column in known},
        }
    )
