"""Hugging Face's Parquet: pictures as bytes in a column, labels as numbers with names elsewhere."""

from __future__ import annotations

import io
import re
import weakref
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from fer_tune.data.files.tree import SourceFile, Tree
from fer_tune.data.labels.columns import find_columns, guess_note
from fer_tune.data.labels.parquet import hugging_face_features, opened, read_group
from fer_tune.data.labels.splits import split_of_name
from fer_tune.data.labels.tables import TextTable, check_box_columns, text_in
from fer_tune.data.listing import Entry, Found, Listing, Reading, Skipped, as_number, printable
from fer_tune.data.pixels import Deep, Pixels, UnusableError, decode_raw
from fer_tune.errors import DataError
from fer_tune.wording import Broken
from fer_tune.yaml_reader.bounded import Limits, plain

_LAYOUT = "A Parquet file must have a column of pictures (image.bytes) and one of labels"
_IMAGES = ("image", "img", "picture", "jpg", "png", "pixel_values", "bytes")
_CARD = Limits(size=1024**2, values=100_000, depth=30)


@dataclass(frozen=True, kw_only=True)
class _Shard:
    """A file with pictures.

    Attributes:
        sizes: rows of each of its row groups.
        image: name of the column of pictures.
    """

    file: SourceFile
    schema: pa.Schema
    sizes: tuple[int, ...]
    image: str


class _Reader:
    """Reads shards; one of them is open, and one row group of pictures is kept.

    A set may have more shards than a process may have files open.
    """

    def __init__(self) -> None:
        self._open = ExitStack()
        self._file: SourceFile | None = None
        self._parquet: pq.ParquetFile | None = None
        self._stream: IO[bytes] | None = None
        self._kept: tuple[_Shard, int] | None = None
        self._column: pa.ChunkedArray | None = None
        weakref.finalize(self, self._open.close)

    def shard(self, file: SourceFile) -> _Shard | None:
        """The file as a shard; None if it has no pictures.

        Raises:
            UnusableError: it cannot be read.
        """
        parquet, _ = self._opened(file)
        schema, metadata = parquet.schema_arrow, parquet.metadata
        if (image := _image_column(schema)) is None:
            return None
        sizes = tuple(metadata.row_group(n).num_rows for n in range(metadata.num_row_groups))
        return _Shard(file=file, schema=schema, sizes=sizes, image=image)

    def table(self, shard: _Shard, group: int, columns: list[str]) -> pa.Table:
        """Columns of a row group.

        Raises:
            UnusableError: it cannot be read.
        """
        parquet, stream = self._opened(shard.file)
        return read_group(parquet, stream, group, columns)

    def picture(self, shard: _Shard, group: int, position: int) -> Pixels | Deep:
        """The picture of a row.

        Raises:
            UnusableError: it cannot be read.
        """
        if self._kept is None or self._kept[0] is not shard or self._kept[1] != group:
            self._kept, self._column = None, None  # never two of them in memory
            self._column = self.table(shard, group, [shard.image])[shard.image]
            self._kept = shard, group
        assert self._column is not None
        value = self._column[position].as_py()
        content = value.get("bytes") if isinstance(value, dict) else value
        if content is None:
            raise UnusableError("its row has no picture, perhaps only a path")
        return decode_raw(io.BytesIO(content))

    def _opened(self, file: SourceFile) -> tuple[pq.ParquetFile, IO[bytes]]:
        if self._file is not file:
            self._open.close()
            self._file = None
            self._stream = self._open.enter_context(file.whole())
            self._parquet = opened(self._stream)
            self._file = file
        assert self._parquet is not None and self._stream is not None
        return self._parquet, self._stream


def list_parquet(tree: Tree, reading: Reading) -> Listing | None:
    """Pictures in Parquet files; None if no Parquet file of the source has any.

    Raises:
        DataError: a file cannot be read, or which column is the label cannot be known.
    """
    files = [file for file in tree.files if file.path.suffix.casefold() == ".parquet"]
    reader = _Reader()
    shards = [shard for file in files if (shard := _shard(reader, file)) is not None]
    if not shards:
        return None
    items: list[Entry | Skipped] = []
    columns: set[str] = set()
    guesses: list[str] = []
    named = False
    for shard in shards:
        label, group, split, guess = _columns(reader, shard, reading)
        guesses += [guess] if guess is not None else []
        columns.add(label)
        names = _names(shard, label, tree)
        named = named or names is not None
        items += _entries(reader, shard, label, group, split, names, reading)
    # Shards of one set differ in nothing but their rows.
    notes = guesses[:1] if named or not _all_numbers(items) else [*guesses[:1], _UNNAMED]
    found = Found(
        labels_from=f"the column {', '.join(sorted(columns))}",
        label_files=tuple(shard.file.origin for shard in shards),
        guessed=bool(guesses),
        named=reading.names_classes,
        notes=tuple(notes),
    )
    return Listing(items=tuple(items), found=found, layout=_LAYOUT)


_UNNAMED = "neither the Parquet files nor a README.md beside them name the labels"


def _all_numbers(items: list[Entry | Skipped]) -> bool:
    return all(as_number(item.found) is not None for item in items if isinstance(item, Entry))


def _shard(reader: _Reader, file: SourceFile) -> _Shard | None:
    try:
        return reader.shard(file)
    except UnusableError as error:
        raise DataError(f"cannot be read: {error}", where=file.place) from None


def _image_column(schema: pa.Schema) -> str | None:
    found = [field.name for field in schema if _holds_pictures(field.type)]
    preferred = [name for name in _IMAGES if name in found]
    return (preferred or found or [None])[0]


def _holds_pictures(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        at = kind.get_field_index("bytes")
        return at >= 0 and _is_bytes(kind.field(at).type)
    return _is_bytes(kind)


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _columns(
    reader: _Reader, shard: _Shard, reading: Reading
) -> tuple[str, str | None, str | None, str | None]:
    """Names of the columns of labels, groups and splits, and a note if the label is a guess."""
    others = [f.name for f in shard.schema if not _holds_pictures(f.type)]
    rows = _first_rows(reader, shard, others)
    table = TextTable(
        file=shard.file,
        header=tuple(name.casefold() for name in others),
        sample=rows,
        rows=lambda: iter(()),
    )
    check_box_columns(table, reading.labels.columns)
    found = find_columns(table, reading, lambda cell: False)
    if found.label is None:
        raise DataError(
            "has no column of labels",
            where=shard.file.place,
            value=", ".join(others)[:200] or "pictures alone",
            remedy="Choose it with --columns label=NAME",
        )
    group = others[found.group] if found.group is not None else None
    split = others[found.split] if found.split is not None else None
    return others[found.label], group, split, guess_note(table, found)


def _first_rows(reader: _Reader, shard: _Shard, columns: list[str]) -> tuple[tuple[str, ...], ...]:
    if not shard.sizes or not columns:
        return ()
    table = _read(reader, shard, 0, columns).slice(0, 100)
    return tuple(
        tuple(map(text_in, row))
        for row in zip(*(table[c].to_pylist() for c in columns), strict=True)
    )


def _read(reader: _Reader, shard: _Shard, group: int, columns: list[str]) -> pa.Table:
    try:
        return reader.table(shard, group, columns)
    except UnusableError as error:
        raise DataError(f"cannot be read: {error}", where=shard.file.place) from None


def _entries(
    reader: _Reader,
    shard: _Shard,
    label: str,
    group: str | None,
    split: str | None,
    names: Mapping[str, str] | None,
    reading: Reading,
) -> Iterator[Entry | Skipped]:
    by_name = split_of_name(shard.file.path, reading)
    columns = list(dict.fromkeys(name for name in (label, group, split) if name))
    before = 0
    for number, size in enumerate(shard.sizes):
        table = _read(reader, shard, number, columns)
        rows = {name: table[name].to_pylist() for name in columns}
        for position, value in enumerate(rows[label]):
            origin = f"{shard.file.origin}:{before + position + 1}"
            said = text_in(rows[split][position]) if split else ""
            try:
                yield _entry(
                    origin=origin,
                    value=value,
                    split=_split(said, reading) if said else by_name,
                    group=text_in(rows[group][position]).strip() or None if group else None,
                    load=partial(reader.picture, shard, number, position),
                    names=names,
                    reading=reading,
                )
            except UnusableError as error:
                yield Skipped(origin=origin, reason=str(error))
        before += size


def _split(said: str, reading: Reading) -> str:
    if (split := reading.split(said)) is None:
        raise UnusableError(f"unknown split {said[:20]!r}")
    return split


def _entry(
    *,
    origin: str,
    value: Any,
    split: str | None,
    group: str | None,
    load: Any,
    names: Mapping[str, str] | None,
    reading: Reading,
) -> Entry:
    if text_in(value).strip() in ("", "-1"):  # how the library marks a hidden label
        raise UnusableError("has no label")
    if isinstance(value, list | dict):
        raise UnusableError("its label is a list or an object")
    found = printable(text_in(value))
    return Entry(
        origin=origin,
        found=found,
        class_name=reading.name(found, names),
        split=split,
        load=load,
        group=group,
    )


def _names(shard: _Shard, label: str, tree: Tree) -> Mapping[str, str] | None:
    """Names of labels by number: of the file's schema, else of the README's YAML."""
    feature = hugging_face_features(shard.schema).get(label)
    if isinstance(feature, dict) and (names := _listed(feature.get("names"))):
        return names
    for file in tree.files:
        if file.path.name.casefold() == "readme.md":
            try:
                card = file.read()
            except UnusableError:
                continue
            if names := names_in_card(card[: _CARD.size].decode("utf-8", "replace"), label):
                return names
    return None


def names_in_card(text: str, label: str) -> Mapping[str, str] | None:
    """Names of labels by number in a dataset card's YAML, or None.

    Args:
        text: of README.md; the YAML is between two lines of ``---`` at its beginning.
        label: the column.
    """
    front = re.match(r"\ufeff?---[ \t]*\r?\n(.*?)\r?\n---", text, re.DOTALL)
    if front is None:
        return None
    try:
        card = plain(front[1], _CARD)
    except Broken:
        return None
    infos = card.get("dataset_info") if isinstance(card, dict) else None
    for info in infos if isinstance(infos, list) else [infos]:
        features = info.get("features") if isinstance(info, dict) else None
        for feature in features if isinstance(features, list) else ():
            if isinstance(feature, dict) and feature.get("name") == label:
                kind = feature.get("dtype")
                kind = kind.get("class_label") if isinstance(kind, dict) else None
                if isinstance(kind, dict) and (names := _listed(kind.get("names"))):
                    return names
    return None


def _listed(names: Any) -> Mapping[str, str] | None:
    if isinstance(names, list) and names:
        return {str(n): printable(str(name)) for n, name in enumerate(names)}
    if isinstance(names, dict) and names:
        return {str(n): printable(str(name)) for n, name in names.items()}
    return None
