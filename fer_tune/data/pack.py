"""Writes a packed dataset: pictures are spooled, put in canonical order and moved into place."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections import Counter
from collections.abc import Collection, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fer_tune.data.copies.groups import copy_groups, related_groups
from fer_tune.data.copies.pairs import Progress
from fer_tune.data.copies.record import related_record
from fer_tune.data.dataset import DESCRIPTION, FORMAT, INDEX, PIXELS, read_description
from fer_tune.data.names import SPLITS
from fer_tune.data.packing.index_columns import (
    GROUPED_VERSION,
    VERSION,
    fingerprint,
    index_schema,
    offsets,
)
from fer_tune.data.packing.together import joined, numbered, share_of
from fer_tune.data.pixels import Pixels, content_hash, deviation
from fer_tune.data.readings.places import LEDGER
from fer_tune.errors import DataError
from fer_tune.process.signals import signals_deferred
from fer_tune.storage.scratch import scratch

_SPOOL = "spool.bin"


class _Row(NamedTuple):
    """A picture of the index; the first five fields are the canonical order."""

    hash: str
    split: str
    class_name: str
    subject: str
    origin: str
    height: int
    width: int
    channels: int
    deviation: float
    spooled: int  # offset in the spool, in bytes


class PackWriter:
    """Collects canonical pictures in a scratch folder beside ``out``; ``finish`` moves it there.

    A context manager: leaving without ``finish`` removes the scratch folder, so that ``out`` is
    complete or untouched.
    """

    def __init__(self, out: Path, *, force: bool = False) -> None:
        """Checks the target before any work.

        Args:
            force: replace a packed dataset at ``out``.

        Raises:
            DataError: ``out`` is a file, or a folder with other content.
        """
        _check_target(out, force)
        self._out = out
        self._force = force
        #: Whether subjects are recorded.
        self.grouped = True
        self._rows: list[_Row] = []
        self._spooled = 0
        self._open = ExitStack()
        self._excluded: frozenset[str] = frozenset()
        self.excluded = 0  # pictures that were not taken
        self._found_related: NDArray[np.int64] | None = None
        #: Called during the search for near copies.
        self.searching: Progress | None = None

    def exclude(self, hashes: Collection[str]) -> None:
        """Leaves out pictures with these content hashes from now on."""
        self._excluded = frozenset(hashes)

    def __enter__(self) -> Self:
        beside = self._out.absolute()
        with ExitStack() as opened:
            self._scratch = opened.enter_context(scratch(beside.parent, f".{beside.name}."))
            self._packed = self._scratch / "packed"
            self._packed.mkdir()  # with default permissions, unlike the scratch folder
            self._spool = opened.enter_context((self._scratch / _SPOOL).open("wb"))
            self._open = opened.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.__exit__(kind, error, trace)

    def __len__(self) -> int:
        return len(self._rows)

    def add(
        self, pixels: Pixels, *, class_name: str, split: str, origin: str, subject: str = ""
    ) -> None:
        """Takes one canonical picture, uint8 (h, w, 1 or 3).

        Args:
            subject: the person or clip that it is of, where that is known.
        """
        assert split in SPLITS, split
        height, width, channels = pixels.shape
        content = content_hash(pixels)
        if content in self._excluded:
            self.excluded += 1
            return
        row = _Row(
            hash=content,
            split=split,
            class_name=class_name,
            subject=subject if self.grouped else "",
            origin=origin,
            height=height,
            width=width,
            channels=channels,
            deviation=deviation(pixels),
            spooled=self._spooled,
        )
        self._rows.append(row)
        self._spooled += self._spool.write(pixels.tobytes())

    def scratch_file(self, name: str) -> Path:
        """A file in the scratch folder, which is removed at the end; not opened yet."""
        return self._scratch / name

    def counts(self) -> dict[str, dict[str, int]]:
        """Pictures per split and class name; splits in fixed order, classes sorted."""
        counted = Counter((row.split, row.class_name) for row in self._rows)
        return {
            split: {name: n for (s, name), n in sorted(counted.items()) if s == split}
            for split in SPLITS
        }

    def cut_test(self, share: float, seed: int) -> int:
        """Moves a share of the training pictures of every class to the test split.

        Copies, near copies and pictures of one subject stay together; those that are also in
        validation are not moved. The same seed takes the same pictures wherever they come from.

        Args:
            share: 0 to 1 (both excluded).

        Returns:
            How many pictures were moved.
        """
        rows = sorted(self._rows)
        names = sorted({row.class_name for row in rows})
        labels = np.array([names.index(row.class_name) for row in rows], np.int64)
        subjects = numbered(np.array([row.subject for row in rows], object))
        groups = joined(self._related(rows), subjects)
        train = np.array([row.split == "train" for row in rows])
        pool = np.flatnonzero(train & ~np.isin(groups, groups[~train]))
        moved = pool[:0]
        if pool.size:
            mask = share_of(groups[pool], labels[pool], share, np.random.default_rng(seed))
            moved = pool[mask]
        for position in moved:
            rows[position] = rows[position]._replace(split="test")
        self._rows = rows
        return len(moved)

    def finish(self, *, classes: tuple[str, ...], about: Mapping[str, Any]) -> dict[str, Any]:
        """Orders, writes and moves into place; returns the description as written.

        Args:
            classes: every class that was added, in label order.
            about: further keys of ``dataset.json``.
        """
        assert self._rows, "an empty dataset cannot be packed"
        rows = sorted(self._rows)
        related = self._related(rows)
        self._spool.close()
        self._write_pixels(rows)
        grouped = any(row.subject for row in rows)
        index = _index(rows, grouped)
        pq.write_table(index, self._packed / INDEX, write_page_checksum=True)
        description = {
            "format": FORMAT,
            "version": GROUPED_VERSION if grouped else VERSION,
            "fingerprint": fingerprint(
                classes,
                [row.hash for row in rows],
                [row.split for row in rows],
                [row.class_name for row in rows],
                [row.subject for row in rows] if grouped else None,
            ),
            "classes": list(classes),
            "channels": max(row.channels for row in rows),
            "pictures": len(rows),
            "counts": self.counts(),
            **about,
            "near_copies": related_record(related, index["group"].to_numpy()),
        }
        text = json.dumps(description, indent=2, ensure_ascii=False) + "\n"
        (self._packed / DESCRIPTION).write_text(text, encoding="utf-8")
        # Hours may have passed since the first check.
        _check_target(self._out, self._force)
        _replace(self._packed, self._out, self._scratch / "replaced")
        return description

    def _write_pixels(self, rows: list[_Row]) -> None:
        spool = self._scratch / _SPOOL
        pixels = np.memmap(spool, np.uint8, mode="r")
        with (self._packed / PIXELS).open("wb") as out:
            for row in rows:
                size = row.height * row.width * row.channels
                out.write(pixels[row.spooled : row.spooled + size].data)
        del pixels
        spool.unlink()

    def _related(self, rows: list[_Row]) -> NDArray[np.int64]:
        """The smallest position of each picture's exact and near copies, int64 (n,).

        Found once: ``rows`` are ordered by their hashes first, so that the positions of a content
        stay the same when pictures move to another split.
        """
        if self._found_related is None:
            self._spool.flush()
            pixels = np.memmap(self._scratch / _SPOOL, np.uint8, mode="r")

            def picture(place: int) -> Pixels:
                row = rows[place]
                shape = row.height, row.width, row.channels
                return pixels[row.spooled : row.spooled + math.prod(shape)].reshape(shape)

            groups = copy_groups(np.array([row.hash for row in rows]))
            self._found_related = related_groups(groups, picture, self.searching)
        return self._found_related


def _index(rows: list[_Row], grouped: bool) -> pa.Table:
    schema = index_schema(GROUPED_VERSION if grouped else VERSION)
    hashes = np.array([row.hash for row in rows])
    sizes = np.array([row.height * row.width * row.channels for row in rows], np.int64)
    columns: dict[str, Any] = {
        name: [getattr(row, name) for row in rows]
        for name in schema.names
        if name not in ("group", "offset")
    }
    columns["group"] = copy_groups(hashes)
    columns["offset"] = offsets(sizes)
    return pa.table(columns, schema=schema)


def _check_target(out: Path, force: bool) -> None:
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise DataError("exists and is not a folder", where=str(out), remedy="Choose another --out")
    if not out.exists() or not any(out.iterdir()):
        return
    try:
        read_description(out)
    except DataError:
        raise DataError(
            "the folder is not empty and is not a packed dataset",
            where=str(out),
            remedy="Choose another --out",
        ) from None
    if not force:
        raise DataError(
            "there is already a packed dataset",
            where=str(out),
            remedy="Choose another --out, or replace it with --force",
        )
    _check_ledger(out / LEDGER)


def _check_ledger(ledger: Path) -> None:
    """A replaced dataset keeps its ledger: other pictures may keep the test split."""
    if not os.path.lexists(ledger):
        return
    reason = "it is a link or no regular file"
    if ledger.is_file() and not ledger.is_symlink():
        try:
            with ledger.open("rb"):
                return
        except OSError as error:
            reason = str(error.strerror)
    raise DataError(
        f"the ledger of test-split readings cannot be kept: {reason}",
        where=str(ledger),
        remedy="Make it a file that you can read, or choose another --out",
    )


def _replace(packed: Path, out: Path, aside: Path) -> None:
    """Moves ``packed`` to ``out``, and what was there to ``aside``."""
    # A rename onto an empty folder succeeds, onto a full one it fails: move that aside first.
    with signals_deferred():
        if out.exists() and any(out.iterdir()):
            _check_ledger(ledger := out / LEDGER)
            if ledger.exists():
                shutil.copyfile(ledger, packed / LEDGER)
            out.rename(aside)
        try:
            packed.rename(out)
        except OSError:
            if aside.exists():
                aside.rename(out)
            raise
