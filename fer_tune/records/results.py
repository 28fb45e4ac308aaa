"""Reading and writing of a results folder."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from fer_tune.errors import ResultsError, reading
from fer_tune.records.tables import KEYS, SCHEMA_VERSION, SCHEMAS, TableName
from fer_tune.schema import InvalidJson, TooLarge, first_error, parse_json, read_at_most, shown
from fer_tune.schema.limits import (
    MANIFEST_BYTES,
    PART_BYTES,
    PREDICTIONS_BYTES,
    TABLE_BYTES,
    TABLE_ROWS,
)
from fer_tune.schema.manifest import Manifest
from fer_tune.schema.parquet import Oversized, read_tables
from fer_tune.schema.tables import BadCell, check_cells
from fer_tune.storage import (
    AnyPath,
    UrlPath,
    any_path,
    files_in,
    refuse_links,
    remove_file,
    write_atomically,
)

#: Rows up to which a part is written without dictionaries.
_FEW_ROWS = 100
#: Parts that are read at a time: every request to a store takes time.
_READ_AT_ONCE = 16
#: What pyarrow raises of a file that is damaged or has other types.
_DAMAGED = (pa.ArrowException, OSError, UnicodeDecodeError)


class Results:
    """A results folder on a path or at a URL. Many may read at once; the driver alone appends.

    Attributes:
        root: the folder, a ``Path`` or a ``fer_tune.storage.UrlPath``.

    Raises:
        ResultsError: on opening (:meth:`open`) a folder that is no results folder, has
            another schema or contains links or special files.
    """

    def __init__(self, root: AnyPath | str) -> None:
        self.root: AnyPath = any_path(root)

    @classmethod
    def open(cls, root: AnyPath | str) -> Results:
        """Opens an existing results folder after checking its entries and its schema version."""
        results = cls(root)
        # Without a manifest it is not a results folder, and checking its entries could take hours.
        if isinstance(results.root, Path) and os.path.lexists(results.root / "manifest.json"):
            refuse_links(results.root)
        version = results._loaded().get("schema_version")
        if version != SCHEMA_VERSION:
            raise ResultsError(
                f"results folder has schema version {shown(version)}, "
                f"this version reads {SCHEMA_VERSION}",
                where=str(results.root),
                remedy="Use the fer_tune version that wrote it (named in manifest.json)",
            )
        return results

    # -- manifest ---------------------------------------------------------------------------

    @property
    def manifest_path(self) -> AnyPath:
        return self.root / "manifest.json"

    def manifest(self) -> dict[str, Any]:
        """The manifest as written last (see ``docs/architecture/records.md`` for its keys).

        Its values have the types and ranges of ``fer_tune.schema.manifest``; those of the key
        ``space`` are not checked here.

        Raises:
            ResultsError: missing, unreadable, or not valid by the schema.
        """
        manifest = self._loaded()
        try:
            Manifest.model_validate(manifest)
        except ValidationError as error:
            raise self.refused(*first_error(error)) from None
        return manifest

    def _loaded(self) -> dict[str, Any]:
        with reading(self.manifest_path):
            try:
                loaded = parse_json(read_at_most(self.manifest_path, MANIFEST_BYTES))
            except (FileNotFoundError, NotADirectoryError):
                raise self._none_here() from None
            except InvalidJson as error:
                raise self.refused(f"manifest.json is {error}") from None
        if not isinstance(loaded, dict):
            raise self.refused("manifest.json is not a mapping", type(loaded).__name__)
        return loaded

    def refused(self, rule: str, value: object = None) -> ResultsError:
        """The error for an invalid manifest."""
        return ResultsError(
            rule,
            where=str(self.manifest_path),
            value=value,
            remedy="Restore the file from a backup, or start a new search",
        )

    def _none_here(self) -> ResultsError:
        what = "no manifest.json here, so this is not a results folder"
        if isinstance(self.root, UrlPath) and not self.root.has_bucket():
            what = "there is no such bucket"
        return ResultsError(
            what,
            where=str(self.root),
            remedy="Use the folder that `fer-tune search` printed",
        )

    def write_manifest(self, manifest: Mapping[str, Any]) -> None:
        text = json.dumps({**manifest, "schema_version": SCHEMA_VERSION}, indent=2)
        write_atomically(self.manifest_path, text + "\n")

    def update_manifest(self, **changes: Any) -> dict[str, Any]:
        """Replaces top-level keys; returns the manifest as written."""
        manifest = {**self.manifest(), **changes}
        self.write_manifest(manifest)
        return manifest

    # -- tables -----------------------------------------------------------------------------

    def folder(self, table: TableName) -> AnyPath:
        return self.root / f"{table}.parquet"

    def append(
        self, table: TableName, rows: Iterable[Mapping[str, Any]], *, part: str
    ) -> AnyPath | None:
        """Writes one part with ``rows``; absent columns become null, unknown ones are refused.

        Args:
            part: name of the part, without suffix; an existing one is replaced, so that rows
                that are written again are not duplicated.
        """
        rows = list(rows)
        if not rows:
            return None
        schema = SCHEMAS[table]
        unknown = {name for row in rows for name in row} - set(schema.names)
        assert not unknown, f"columns that {table} does not have: {sorted(unknown)}"
        buffer = io.BytesIO()
        pq.write_table(
            pa.Table.from_pylist([dict(r) for r in rows], schema=schema),
            buffer,
            # A dictionary per column costs more than it saves in the many parts of few rows, and
            # nobody reads statistics.
            use_dictionary=len(rows) > _FEW_ROWS,
            write_statistics=False,
        )
        target = self.folder(table) / f"{part}.parquet"
        write_atomically(target, buffer.getvalue(), within=self.root, flushed=False)
        return target

    def parts(self, table: TableName) -> set[str]:
        """Names of the parts that have been written, without suffix."""
        return {file.name.removesuffix(".parquet") for file in self._parts(table)}

    def remove(self, table: TableName, part: str) -> None:
        """Removes the part of that name, if there is one."""
        remove_file(self.folder(table) / f"{part}.parquet", within=self.root)

    def _parts(self, table: TableName) -> list[AnyPath]:
        with reading(self.folder(table)):
            return files_in(self.folder(table), ".parquet")

    def read(self, table: TableName, *, filled: Collection[str] = ()) -> pd.DataFrame:
        """A table as a frame with the schema's columns, one row per key, last part wins.

        An absent table is an empty frame, so that unfinished searches can be read.

        Args:
            filled: columns, besides those of the key, in which no cell may be null.

        Raises:
            ResultsError: unreadable, larger than ``fer_tune.schema.limits`` permits, or a cell
                against the rules of ``fer_tune.schema.tables``.
        """
        schema = SCHEMAS[table]
        parts = self._parts(table)
        if not parts:
            empty: pd.DataFrame = schema.empty_table().to_pandas()
            return empty
        try:
            frame: pd.DataFrame = _read_parts(parts, schema, _most_bytes(table)).to_pandas()
            check_cells(frame, table, {*KEYS[table], *filled})
        except Oversized as error:
            raise self._bad_table(table, str(error)) from None
        except BadCell as error:
            raise self._bad_table(table, error.rule, error.value) from None
        frame = frame.drop_duplicates(KEYS[table], keep="last")
        by = [c for c in ("trial", "epoch") if c in KEYS[table]]
        return (frame.sort_values(by, kind="stable") if by else frame).reset_index(drop=True)

    def _bad_table(self, table: TableName, rule: str, value: object = None) -> ResultsError:
        return ResultsError(
            rule,
            where=str(self.folder(table)),
            value=value,
            remedy="Restore the folder from a backup, or start a new search",
        )


def _most_bytes(table: TableName) -> int:
    return PREDICTIONS_BYTES if table == "predictions" else TABLE_BYTES


def _read_parts(parts: Sequence[AnyPath], schema: pa.Schema, size: int) -> pa.Table:
    """The rows of all parts in their order; columns that a part lacks are null."""
    with ThreadPoolExecutor(_READ_AT_ONCE) as pool:
        contents = list(pool.map(_content, parts))
    try:
        return read_tables(contents, schema, rows=TABLE_ROWS, size=size)
    except _DAMAGED as error:
        # One by one is slower, but shows which one is invalid.
        for part, content in zip(parts, contents, strict=True):
            try:
                read_tables([content], schema, rows=TABLE_ROWS, size=size)
            except _DAMAGED as mine:
                raise _damaged(part, mine) from None
        raise _damaged(parts[0], error) from None


def _content(part: AnyPath) -> bytes:
    try:
        with reading(part):
            return read_at_most(part, PART_BYTES)
    except TooLarge as error:
        raise _damaged(part, error) from None


def _damaged(where: AnyPath, error: Exception) -> ResultsError:
    return ResultsError(
        f"cannot be read, truncated or not a Parquet file: {str(error).splitlines()[0][:200]}",
        where=str(where),
        remedy="Restore it from a backup, or remove it to omit its rows",
    )
