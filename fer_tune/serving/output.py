"""Tables of predictions as text or files."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from pathlib import PurePath
from typing import Any, Literal

import pandas as pd
from rich.table import Table
from rich.text import Text

from fer_tune.console import cells, plain_table, say, styled
from fer_tune.escaping import json_text
from fer_tune.serving.prediction import PicturePrediction, frame_of_rows, rows_of

Format = Literal["table", "jsonl", "csv", "parquet"]

_BY_SUFFIX: dict[str, Format] = {
    ".csv": "csv",
    ".json": "jsonl",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".txt": "table",
}


def format_of(name: str) -> Format | None:
    """The format that a file name's suffix means."""
    return _BY_SUFFIX.get(PurePath(name).suffix.casefold())


def json_line(prediction: PicturePrediction, classes: Sequence[str]) -> str:
    """One picture as JSON: its faces, or why it could not be read."""
    return json_text(document(prediction, classes))


def document(prediction: PicturePrediction, classes: Sequence[str]) -> dict[str, Any]:
    """One picture as what JSON holds: its faces, or why it could not be read."""
    faces = [
        {
            "box": None if one.face is None else [round(edge, 1) for edge in one.face.box],
            "face_score": None if one.face is None else round(one.face.score, 4),
            "expression": one.expression,
            "probability": one.probability,
            "uncertain": one.uncertain,
            "probabilities": dict(zip(classes, map(float, one.probabilities), strict=True)),
        }
        for one in prediction.faces
    ]
    return {"picture": prediction.name, "error": prediction.error, "faces": faces}


def encoded(found: Iterable[PicturePrediction], classes: Sequence[str], form: Format) -> bytes:
    """The content of a file in that format; a table is plain text."""
    if form == "jsonl":
        return "".join(f"{json_line(one, classes)}\n" for one in found).encode()
    if form == "table":
        return plain_text(found).encode()
    return frame_bytes(frame_of(found, classes), form)


def frame_bytes(frame: pd.DataFrame, form: Format) -> bytes:
    """The content of a CSV or Parquet file with that frame."""
    if form == "csv":
        return frame.to_csv(index=False, float_format="%.6g").encode()
    out = io.BytesIO()
    frame.to_parquet(out, index=False)
    return out.getvalue()


def frame_of(found: Iterable[PicturePrediction], classes: Sequence[str]) -> pd.DataFrame:
    """A row per face, and one per picture without a face; pictures with errors have none."""
    rows = [row for one in found if one.error is None for row in rows_of(one, classes)]
    return frame_of_rows(rows, classes)


def table(found: Iterable[PicturePrediction]) -> Table:
    """A table for a terminal: a row per face, or one that says that there is none."""
    shown = plain_table([], "picture", "face", "expression", "probability")
    shown.columns[0].overflow = "fold"  # the end of a path says more than its start
    for one in found:
        if one.error is not None:
            continue
        if not one.faces:
            shown.add_row(*cells(one.name, "", "no face", ""))
        for number, face in enumerate(one.faces, 1):
            mark = "  uncertain" if face.uncertain else ""
            place = f"{number} of {len(one.faces)}" if face.face is not None else "whole"
            shown.add_row(
                *cells(one.name, place, face.expression),
                styled(f"{face.probability:.2f}", (mark, "dim")),
            )
    return shown


def plain_text(found: Iterable[PicturePrediction]) -> str:
    """The table as text without colour, for a file."""
    return as_text(table(found))


def as_text(shown: Table) -> str:
    """A table as text without colour, for a file."""
    from rich.console import Console

    out = io.StringIO()
    width = 1_000  # a file is not cut off
    say(Console(file=out, width=width, color_system=None), shown)
    return "\n".join(line.rstrip() for line in out.getvalue().split("\n"))


def counted(pictures: int, faces: int, without: int, skipped: int, seconds: float) -> Text:
    """The last line: what was read, and how fast."""
    parts = [f"{pictures} picture{'s' * (pictures != 1)}", f"{faces} face{'s' * (faces != 1)}"]
    if without:
        parts.append(f"{without} without a face")
    if skipped:
        parts.append(f"{skipped} skipped")
    pace = f"{pictures / seconds:,.1f} pictures per second" if seconds else ""
    return styled(", ".join(parts), f"; {pace}" if pace else "")
