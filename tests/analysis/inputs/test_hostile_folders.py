"""Results folders from strangers: whatever they hold, `rank` reports or refuses them, in bounds."""

from __future__ import annotations

import json
import random
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
from mangled import VALUES, at_most, cells, outcome, places, replaced, small, spoil_cell

import analysis
from fer_tune.errors import ResultsError
from fer_tune.records import SCHEMAS, Results
from fer_tune.schema import limits
from fer_tune.schema.parquet import _Left
from fer_tune.schema.parquet_pages import BadPage, pages_of

#: Values of the manifest that are tried at random places, and folders of these that are reported.
TRIED, REPORTED = 120, 2


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small(tmp_path_factory.mktemp("whole") / "r")


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """A copy of the whole folder."""
    for file in sorted(whole.rglob("*")):
        target = tmp_path / "r" / file.relative_to(whole)
        target.parent.mkdir(parents=True, exist_ok=True)
        if file.is_file():
            target.write_bytes(file.read_bytes())
    return tmp_path / "r"


def spoil(folder: Path, key: str, value: Any, name: str = "manifest.json") -> None:
    """Replaces one value, named like ``choices.0.runs``."""
    at = tuple(int(step) if step.isdigit() else step for step in key.split("."))
    path = folder / name
    path.write_text(json.dumps(replaced(json.loads(path.read_text()), at, value)))


def refusal(folder: Path) -> str:
    with at_most(5), pytest.raises(ResultsError) as caught:
        analysis.load(folder)
    text = str(caught.value)
    assert len(text) < 800, text
    return text.replace(str(folder), "R")


WRONG = {
    "space.scheduler.reduction_factor": (0, "space.scheduler.reduction_factor must be at least 2"),
    "space.budget.max_epochs": (10**18, "must be at most 100000 (got 1000000000000000000)"),
    "space.compare.replicates": (10**9, "must be at most 1000"),
    "space.scheduler": ([], "space.scheduler must be a mapping"),
    "space.metric": ("\x1b[2J", "space.metric must be"),
    "space.parameters.lr_head": ({"a": [1]}, "space.parameters.lr_head.type is missing"),
    "classes": ([str(i) for i in range(1001)], "classes must have at most 1000 items"),
    "classes.0": (float("nan"), "classes[0] must be text (got nan)"),
    "arms": ([], "arms must be a mapping (got [])"),
    "choices.0.trial": (-1, "choices[0].trial must be at least 0 (got -1)"),
    "choices.0.runs": (["x" * 10**6], "choices[0].runs[0] must be a whole number"),
    "confirm_seeds": (list(range(10**5)), "confirm_seeds must have at most 1000 items"),
    "started": (10**400, "started must be a number (got a number of 1329 bits)"),
    "splits.test": (True, "splits.test must be a whole number (got True)"),
    "versions": (json.loads("[" * 60 + "]" * 60), "nested more than 32 levels deep"),
    "name": ("\ud800", "contains an unpaired surrogate"),
    "state": ("x" * 10**6, "state must be 'running', 'interrupted' or 'finished'"),
}


@pytest.mark.parametrize("key", WRONG)
def test_a_manifest_that_breaks_a_rule_is_refused_by_key_and_value(folder: Path, key: str) -> None:
    value, message = WRONG[key]
    spoil(folder, key, value)
    text = refusal(folder)
    assert text.startswith("R/manifest.json: ") and message in text


@pytest.mark.parametrize("factor", [0, 1, -3])
def test_rungs_that_would_never_end_are_refused(folder: Path, factor: int) -> None:
    spoil(folder, "space.scheduler.reduction_factor", factor)
    assert outcome(folder, seconds=5) == "refused"


def test_any_value_anywhere_in_a_manifest_is_read_or_refused(whole: Path, tmp_path: Path) -> None:
    document = json.loads((whole / "manifest.json").read_text())
    cases = [(at, name) for at in places(document) for name in VALUES]
    drawn, accepted = random.Random(0), 0
    for at, name in drawn.sample(cases, TRIED):
        spoilt = replaced(document, at, VALUES[name])
        (tmp_path / "manifest.json").write_text(json.dumps(spoilt))
        try:
            with at_most(5):
                analysis.load(tmp_path)
        except ResultsError as error:
            assert str(tmp_path) in str(error) and len(str(error)) < 800, (at, name)
            continue
        accepted += 1
        if accepted <= REPORTED:
            (whole / "manifest.json").write_text(json.dumps(spoilt))
            assert outcome(whole) == "read", (at, name)
    (whole / "manifest.json").write_text(json.dumps(document))
    assert REPORTED < accepted < TRIED


@pytest.mark.parametrize("file", ["latency.json", "probe.json"])
def test_any_value_beside_the_manifest_is_read_or_refused(
    whole: Path, tmp_path: Path, file: str
) -> None:
    (tmp_path / "manifest.json").write_bytes((whole / "manifest.json").read_bytes())
    document = json.loads((whole / file).read_text())
    cases = [(at, name) for at in places(document) for name in VALUES]
    for at, name in random.Random(0).sample(cases, 60):
        (tmp_path / file).write_text(json.dumps(replaced(document, at, VALUES[name])))
        try:
            analysis.load(tmp_path)
        except ResultsError as error:
            assert file in str(error) and len(str(error)) < 800, (at, name)


@pytest.mark.parametrize("name", ["manifest.json", "latency.json", "probe.json"])
def test_json_of_many_bytes_is_refused_unread(folder: Path, name: str) -> None:
    with (folder / name).open("r+b") as file:
        file.truncate(20 * limits.GIB)
    assert "larger than 8 MiB" in refusal(folder)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "9" * 10_000])
def test_json_that_python_gives_up_on_is_refused(folder: Path, text: str) -> None:
    (folder / "manifest.json").write_text(text)
    assert "manifest.json is " in refusal(folder)


# -- tables -----------------------------------------------------------------------------------


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


def test_a_search_space_of_a_later_version_is_reported(folder: Path) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps({**manifest, "space": {**manifest["space"], "later": {"a": 1}}}))
    assert outcome(folder) == "read"


def test_a_crowded_search_space_is_named_once(folder: Path) -> None:
    spoil(folder, "space.name", ["x"] * (limits.SPACE_VALUES + 1))
    text = refusal(folder)
    assert "space must have at most 20000 values" in text and "space.space" not in text
    assert "start a new search" not in text


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
