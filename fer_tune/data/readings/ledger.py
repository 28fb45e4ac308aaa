"""Reading and writing the ledger: a JSON object per line, appended under a lock.

A line is written once per reader, however often a search is resumed or a model evaluated again. A
ledger that cannot be read or written never ends a command: it is reported.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from fer_tune.data.dataset import DatasetIndex
from fer_tune.data.listing import printable
from fer_tune.data.readings.places import fingerprint_of_test, ledgers
from fer_tune.schema import InvalidJson, TooLarge, parse_json, read_at_most
from fer_tune.schema.limits import MIB
from fer_tune.schema.manifest import Line, Part, Seconds
from fer_tune.storage.links import open_file

#: Bytes of a ledger that are read: some hundred thousand readings.
_MOST = 64 * MIB

Kind = Literal["search", "evaluation"]


class Reading(Part):
    """One reader of a test split.

    Attributes:
        test: fingerprint of the test split.
        kind: a search that confirmed its choices, or `evaluate`.
        id: the same for every session of a search, and for every evaluation of one model.
        name: of the search, or what was evaluated.
        at: when it was first read, in seconds since the Unix epoch.
    """

    test: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    kind: Kind
    id: Annotated[str, Field(pattern="^[0-9a-f]{8,64}$")]
    name: Line
    at: Seconds


@dataclass(frozen=True, kw_only=True)
class Readings:
    """Readings of one test split.

    Attributes:
        test: fingerprint of the test split.
        readings: each reader once, in the order of its first reading.
        problems: what could not be read or written, a sentence each.
    """

    test: str
    readings: tuple[Reading, ...]
    problems: tuple[str, ...] = ()

    def of(self, kind: Kind) -> tuple[Reading, ...]:
        return tuple(one for one in self.readings if one.kind == kind)

    def before(self, reader: str) -> tuple[Reading, ...]:
        """Readings that came before the first one of ``reader``; all, if it has not read."""
        places = [n for n, one in enumerate(self.readings) if one.id == reader]
        return self.readings[: places[0]] if places else self.readings


def readings_of(dataset: DatasetIndex, *, is_copy: bool = False) -> Readings:
    """Every recorded reading of the dataset's test split.

    Args:
        is_copy: whether the dataset is a copy of one at a URL, in a cache.
    """
    test, problems = fingerprint_of_test(dataset), list[str]()
    rows = [
        row for path in ledgers(dataset, is_copy=is_copy) for row in _read(path, test, problems)
    ]
    return Readings(test=test, readings=_distinct(rows), problems=tuple(problems))


def record_reading(
    dataset: DatasetIndex, kind: Kind, reader: str, name: str, *, is_copy: bool = False
) -> Readings:
    """Counts one reader of the test split, once; returns all readings, this one included.

    Args:
        reader: 8 to 64 hex digits that name the search or the model.
        name: for people.
        is_copy: whether the dataset is a copy of one at a URL, in a cache.
    """
    test = fingerprint_of_test(dataset)
    new = Reading(test=test, kind=kind, id=reader, name=printable(name)[:200], at=time.time())
    places, problems = ledgers(dataset, is_copy=is_copy), list[str]()
    known = [row for path in places[1:] for row in _read(path, test, [])]
    if all(row.id != reader for row in known):
        try:
            _append(places[0], new)
        except OSError as error:
            problems.append(
                f"{places[0]}: this reading of the test split is not recorded: {error.strerror}"
            )
    found = readings_of(dataset, is_copy=is_copy)
    rows = found.readings if problems == [] else _distinct([*found.readings, new])
    return Readings(test=test, readings=rows, problems=(*found.problems, *problems))


def _append(path: Path, new: Reading) -> None:
    """Appends one line, unless the file has the reader. Processes wait for one another."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = open_file(path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
    with open(descriptor, "r+b", buffering=0) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        content = _within(file.fileno())
        if any(row.id == new.id and row.test == new.test for row in _rows(content, [])):
            return
        torn = b"\n" if content and not content.endswith(b"\n") else b""
        line = json.dumps(new.model_dump(), ensure_ascii=True).encode()
        os.write(file.fileno(), torn + line + b"\n")
        os.fsync(file.fileno())


def _within(descriptor: int) -> bytes:
    with suppress(OSError):
        return os.pread(descriptor, _MOST, 0)
    return b""


def _read(path: Path, test: str, problems: list[str]) -> list[Reading]:
    """The readings of one test split in a file; what is wrong with it is added to ``problems``."""
    try:
        content = read_at_most(path, _MOST)
    except FileNotFoundError:
        return []
    except TooLarge as error:
        problems.append(f"{path}: the ledger of test-split readings is {error}, so it is ignored")
        return []
    except OSError as error:
        problems.append(
            f"{path}: the ledger of test-split readings cannot be read: {error.strerror}"
        )
        return []
    damaged: list[int] = []
    rows = [row for row in _rows(content, damaged) if row.test == test]
    if damaged:
        lines = "line" if len(damaged) == 1 else "lines"
        problems.append(
            f"{path}: {len(damaged)} {lines} of the ledger of test-split readings are damaged "
            f"(the first is line {damaged[0]}) and do not count"
        )
    return rows


def _rows(content: bytes, damaged: list[int]) -> Iterable[Reading]:
    """The valid lines; numbers of the others, from 1, are added to ``damaged``."""
    for number, line in enumerate(content.split(b"\n"), start=1):
        if line.strip():
            try:
                yield Reading.model_validate(parse_json(line))
            except (InvalidJson, ValidationError):
                damaged.append(number)


def _distinct(rows: Sequence[Reading]) -> tuple[Reading, ...]:
    first: dict[str, Reading] = {}
    for row in sorted(rows, key=lambda row: row.at):
        first.setdefault(row.id, row)
    return tuple(first.values())
