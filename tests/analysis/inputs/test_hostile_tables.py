"""Tables and thumbnails from strangers: `rank` reports or refuses them, in bounds."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mangled import at_most, cells, outcome, refusal, spoil, spoil_cell

import analysis
from fer_tune.errors import ResultsError
from fer_tune.records import SCHEMAS, Results
from fer_tune.schema import limits
from fer_tune.schema.parquet import _Left
from fer_tune.schema.parquet_pages import BadPage, pages_of


@pytest.mark.parametrize("table", sorted(SCHEMAS.keys() - {"thumbnails"}))
def test_any_cell_is_read_or_refused(whole: Path, tmp_path: Path, table: str) -> None:
    source, refusals = whole / f"{table}.parquet", 0
    for number, (column, value) in enumerate(cells(table)):
        if number % 16:
            continue
        (tmp_path / source.name).mkdir(exist_ok=True)
        for part in source.iterdir():
            (tmp_path / source.name / part.name).write_bytes(part.read_bytes())
        spoil_cell(tmp_path, table, column, value)
        try:
            with at_most(10):
                Results(tmp_path).read(table)  # type: ignore[arg-type]
        except ResultsError as error:
            assert f"column {column}" in str(error) and len(str(error)) < 800
            refusals += 1
    assert refusals >= 1


BAD_CELLS: dict[tuple[str, str], tuple[Any, str]] = {
    ("trials", "state"): ("won", "must be one of complete, pruned, overfit, diverged"),
    ("trials", "best_val_macro_f1"): (1.5, "must be from 0 to 1 (got 1.5)"),
    ("trials", "arm"): ("y" * 100_000, "must be 1 to 64 letters"),
    ("trials", "node"): ("\x1b[2J", r"(got '\x1b[2J')"),
    ("epochs", "epoch"): (2**31 - 1, "must be from 0 to 100000 (got 2147483647)"),
    ("epochs", "trial"): (None, "column trial: must not be null"),
    ("confusion", "count"): (-1, "must be from 0 to"),
    ("predictions", "cohort"): (None, "column cohort: must not be null"),
}


@pytest.mark.parametrize(("table", "column"), BAD_CELLS)
def test_a_cell_that_breaks_a_rule_is_refused_by_name(
    folder: Path, table: str, column: str
) -> None:
    value, message = BAD_CELLS[table, column]
    spoil_cell(folder, table, column, value)
    text = refusal(folder)
    assert text.startswith(f"R/{table}.parquet: column {column}: ") and message in text


def test_a_trial_without_its_score_is_reported_all_the_same(folder: Path) -> None:
    for column in ("best_val_macro_f1", "best_val_loss"):
        spoil_cell(folder, "trials", column, float("nan"))
    spoil_cell(folder, "trials", "generalisation_gap", float("-inf"))
    assert outcome(folder) == "read"


def test_a_duration_by_a_clock_that_was_set_back_is_read(folder: Path) -> None:
    spoil(folder, "wall_seconds", -3.5)
    spoil_cell(folder, "trials", "setup_seconds", -2.5)
    assert outcome(folder) == "read"


def test_a_page_header_with_a_field_of_another_type_is_damaged() -> None:
    header = bytes.fromhex("15 00 15 00 15 00 25 00 00")
    with pytest.raises(BadPage, match="damaged header"):
        pages_of(header, 0, len(header))


def test_columns_that_share_their_bytes_are_refused() -> None:
    class Column(SimpleNamespace):
        path_in_schema, has_dictionary_page, data_page_offset = "a", False, 0
        total_compressed_size, num_values, total_uncompressed_size = 7, 1, 8

    group = SimpleNamespace(num_columns=3, num_rows=1, column=lambda number: Column())
    metadata = SimpleNamespace(
        created_by="x", num_rows=1, num_row_groups=1, row_group=lambda number: group
    )
    page = bytes.fromhex("15 00 15 00 15 00 00")
    with pytest.raises(pa.ArrowInvalid, match="share the same bytes"):
        _Left(10, 10**6).take(metadata, page * 2, {"a"})


def dictionary_bomb() -> bytes:
    """One long text, repeated many times by number: 20 GB out of 5 kB."""
    texts = pa.array(["x" * 100_000])
    numbers = pa.array(np.zeros(200_000, np.int32))
    return parquet(pa.table({"arm": pa.DictionaryArray.from_arrays(numbers, texts)}))


def row_bomb() -> bytes:
    return parquet(pa.table({"seconds": pa.nulls(25_000_000, pa.float64())}))


def list_bomb(claimed: int | None = None) -> bytes:
    """A row of many probabilities; the metadata may claim that it has few."""
    values = 30_000_000
    zeros = pa.array(np.zeros(values, np.float32))
    lists = pa.ListArray.from_arrays(pa.array([0, values], pa.int32()), zeros)
    content = parquet(pa.table({"probabilities": lists}), write_batch_size=values)
    if claimed is None:
        return content
    (length,) = struct.unpack("<I", content[-8:-4])
    start = len(content) - 8 - length
    true = _varint(2 * values)
    false = bytes([2 * claimed | 128]) + b"\x80" * (len(true) - 2) + b"\x00"
    footer = content[start:].replace(true, false)
    assert footer != content[start:]
    return content[:start] + footer


def delta_bomb() -> bytes:
    """Texts that each begin like the one before them."""
    table = pa.table({"arm": ["x" * 100_000] * 1000})
    return parquet(table, use_dictionary=False, column_encoding={"arm": "DELTA_BYTE_ARRAY"})


def _varint(value: int) -> bytes:
    head = b""
    while value > 127:
        head += bytes([value & 127 | 128])
        value >>= 7
    return head + bytes([value])


def parquet(table: pa.Table, **options: Any) -> bytes:
    out = pa.BufferOutputStream()
    options = {"data_page_size": 2**31 - 1, **options}
    pq.write_table(table, out, compression="zstd", store_schema=False, **options)
    return out.getvalue().to_pybytes()  # type: ignore[no-any-return]


BOMBS: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "texts by number": ("trials", dictionary_bomb, "takes more than 2 GiB in memory"),
    "rows of nulls": ("trials", row_bomb, "has more than 20000000 rows"),
    "texts by their difference": ("trials", delta_bomb, "has an unsupported encoding"),
    "values in one row": ("predictions", list_bomb, "GiB in memory"),
    "values that the metadata hide": (
        "predictions",
        lambda: list_bomb(claimed=1),
        "GiB in memory",
    ),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_small_file_that_takes_much_memory_is_refused_unread(
    folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, made, message = BOMBS[name]
    if table == "predictions":
        monkeypatch.setattr("fer_tune.records.results.PREDICTIONS_BYTES", 200 * limits.MIB)
    content = made()
    assert len(content) < 100_000
    (folder / f"{table}.parquet" / "zzz.parquet").write_bytes(content)
    before = pa.default_memory_pool().max_memory()
    text = refusal(folder)
    assert f"R/{table}.parquet" in text and message in text
    assert pa.default_memory_pool().max_memory() - before < 100 * limits.MIB


# -- thumbnails -------------------------------------------------------------------------------


def chunk(kind: bytes, data: bytes) -> bytes:
    check = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)


def png(
    width: int = 4, height: int = 4, *, pixels: bytes | None = None, extra: bytes = b""
) -> bytes:
    rows = bytes(height * (width + 1)) if pixels is None else pixels
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


THUMBNAILS = {
    "another format": b"GIF89a" + bytes(100),
    "a script": b"<svg onload=alert(1)>",
    "the signature alone": b"\x89PNG\r\n\x1a\n",
    "a tail": png() + b"<script>",
    "cut short": png()[:-5],
    "a side of millions": png(2_000_000, 1),
    "pixels that inflate": png(pixels=bytes(200_000_000)),
    "a profile": png(extra=chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(10**6)))),
    "too many bytes": png(extra=chunk(b"IDAT", bytes(300_000))),
}


@pytest.mark.parametrize("name", THUMBNAILS)
def test_a_thumbnail_that_is_no_small_png_is_refused(folder: Path, name: str) -> None:
    spoil_cell(folder, "thumbnails", "png", THUMBNAILS[name])
    text = refusal(folder)
    assert text.startswith("R/thumbnails.parquet: column png: must ") and "(got b'" in text


def test_the_pngs_of_a_search_are_thumbnails(folder: Path) -> None:
    spoil_cell(folder, "thumbnails", "png", png())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(analysis.load(folder).thumbnails)
