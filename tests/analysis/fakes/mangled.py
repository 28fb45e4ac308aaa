"""Results folders with one value replaced by a bad one, and what `rank` makes of them."""

from __future__ import annotations

import json
import signal
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fake_search import Plan, write

import analysis
from analysis.report import build
from fer_tune.errors import ResultsError, UserError
from fer_tune.records import SCHEMAS

#: A key or item to remove, rather than a value.
REMOVED = object()

#: What stands in for a manifest's value.
VALUES: dict[str, Any] = {
    "removed": REMOVED,
    "null": None,
    "true": True,
    "text": "x",
    "no text": "",
    "long text": "y" * 100_000,
    "half a character": "\ud800",
    "zero": 0,
    "one": 1,
    "negative": -1,
    "fraction": 0.5,
    "not a number": float("nan"),
    "infinite": float("inf"),
    "huge": 10**18,
    "beyond a float": 10**400,
    "large float": 1e308,
    "list": [],
    "list of nulls": [None],
    "mapping": {},
    "mapping of a list": {"a": [1]},
    "deep": json.loads("[" * 60 + "]" * 60),
}

#: What stands in for a cell of a table, by the column's kind.
CELLS: dict[str, list[Any]] = {
    "int": [None, -1, -(2**31), 2**31 - 1, 0],
    "double": [None, float("nan"), float("inf"), float("-inf"), -1.0, 0.0, 1e308, 1e-320],
    "string": [None, "", "x", "y" * 100_000, "\x1b[2J\n", "<script>"],
    "bool": [None, True],
    "binary": [None, b"", b"GIF89a", b"\x89PNG\r\n\x1a\n"],
    "list": [
        None,
        [],
        [None],
        [float("nan")],
        [1e38] * 6,
        [-1.0, 2.0, 0.0, 0.0, 0.0, 0.0],
        [0.0] * 7,
    ],
}

Path_ = tuple[str | int, ...]


def small(folder: Path) -> Path:
    """A finished search that is quickly reported."""
    plan = Plan(trials=4, seeds=2, pictures=24, replicates=1, audit_share=0.5, probe=True)
    return write(folder, plan)


def places(value: Any, at: Path_ = ()) -> Iterator[Path_]:
    """Where a value stands in a JSON document, from the outside to the inside."""
    if at:
        yield at
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*at, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from places(inner, (*at, index))


def replaced(document: Any, at: Path_, value: Any) -> Any:
    """A copy of ``document`` with ``value`` at one place."""
    copy = json.loads(json.dumps(document))
    inner = copy
    for step in at[:-1]:
        inner = inner[step]
    if value is REMOVED:
        del inner[at[-1]]
    else:
        inner[at[-1]] = value
    return copy


def cells(table: str) -> Iterator[tuple[str, Any]]:
    """Columns of a table, and bad values for each."""
    for field in SCHEMAS[table]:
        kind = str(field.type).split("<")[0].rstrip("0123456789")
        yield from ((field.name, value) for value in CELLS[kind])


def spoil_cell(folder: Path, table: str, column: str, value: Any) -> None:
    """Replaces the value of one column in the first row of each part."""
    for part in (folder / f"{table}.parquet").glob("*.parquet"):
        rows = pq.read_table(part).to_pylist()
        rows[0][column] = value
        pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMAS[table]), part)


def spoil(folder: Path, key: str, value: Any, name: str = "manifest.json") -> None:
    """Replaces one value, named like ``choices.0.runs``."""
    at = tuple(int(step) if step.isdigit() else step for step in key.split("."))
    path = folder / name
    path.write_text(json.dumps(replaced(json.loads(path.read_text()), at, value)))


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Raises TimeoutError in what takes more time of the processors, all threads together."""

    def late(number: int, frame: FrameType | None) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def outcome(folder: Path, *, seconds: float = 20.0, report: bool = True) -> str:
    """``read`` or ``refused``; anything else is a bug, with the last line of the traceback."""
    try:
        with at_most(seconds):
            search = analysis.load(folder)
            if report:
                json.dumps(build(search, None), allow_nan=False).encode()
    except UserError as error:
        text = str(error)
        return "refused" if str(folder) in text and len(text) < 1500 else f"unclear: {text[:300]}"
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        where = traceback.extract_tb(error.__traceback__)[-1]
        ours = [
            f
            for f in traceback.extract_tb(error.__traceback__)
            if "/analysis/" in f.filename or "fer_tune" in f.filename
        ]
        last = ours[-1] if ours else where
        return f"{type(error).__name__} {Path(last.filename).name}:{last.lineno} {str(error)[:80]}"
    return "read"


def refusal(folder: Path) -> str:
    with at_most(5), pytest.raises(ResultsError) as caught:
        analysis.load(folder)
    text = str(caught.value)
    assert len(text) < 800, text
    return text.replace(str(folder), "R")
