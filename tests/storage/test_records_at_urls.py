"""A results folder at a URL says what the same folder on a path says."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from fer_tune.errors import ResultsError
from fer_tune.records import SCHEMAS, Results
from fer_tune.storage import put_folder
from tests.object_store import ObjectStore


def fill(results: Results) -> Results:
    results.write_manifest({"state": "running", "name": "x"})
    for part in ("b", "a"):
        rows = [
            {"trial": t, "epoch": e, "val_loss": t + e / 10, "arm": part}
            for t in range(3)
            for e in (1, 2)
        ]
        results.append("epochs", rows, part=part)
    results.append("trials", [{"trial": 1, "state": "complete"}], part="old")
    results.append("trials", [{"trial": 1, "state": "failed"}], part="old")
    results.append("trials", [{"trial": 7, "state": "complete"}], part="gone")
    results.remove("trials", "gone")
    results.update_manifest(state="finished")
    return results


def test_tables_and_manifest_are_equal(store: ObjectStore, tmp_path: Path) -> None:
    here, there = fill(Results(tmp_path)), fill(Results(store.url("equal")))
    assert here.manifest() == there.manifest() and there.manifest()["state"] == "finished"
    for table in SCHEMAS:
        pd.testing.assert_frame_equal(here.read(table), there.read(table))  # type: ignore[arg-type]
    assert len(there.read("epochs")) == 6 and there.read("thumbnails").empty
    assert there.parts("trials") == {"old"}
    assert Results.open(store.folder("equal")).root == there.root
    names = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()}
    assert set(store.keys(store.folder("equal"))) == names
    for name in names:
        assert (there.root / name).read_bytes() == (tmp_path / name).read_bytes()


def test_a_folder_that_was_copied_there_reads_the_same(store: ObjectStore, tmp_path: Path) -> None:
    here = fill(Results(tmp_path))
    put_folder(tmp_path, store.folder("copy"))
    there = Results.open(store.url("copy"))
    pd.testing.assert_frame_equal(here.read("epochs"), there.read("epochs"))


def test_a_torn_part_is_named(store: ObjectStore) -> None:
    results = fill(Results(store.url("torn")))
    part = results.folder("epochs") / "a.parquet"
    part.write_bytes(part.read_bytes()[:100])
    with pytest.raises(ResultsError, match="truncated or not a Parquet file") as raised:
        results.read("epochs")
    assert str(raised.value).startswith(str(part)) and "secret" not in str(raised.value)


def test_what_is_no_results_folder_is_reported(store: ObjectStore) -> None:
    with pytest.raises(ResultsError, match=r"no manifest\.json here"):
        Results.open(store.url("nothing"))
    with pytest.raises(ResultsError, match="there is no such bucket"):
        Results.open(store.url("x", bucket="nobodys"))
    (store.folder("text") / "manifest.json").write_bytes(b'{"schema_version": 1, ')
    with pytest.raises(ResultsError, match="truncated"):
        Results.open(store.url("text"))


@pytest.mark.slow
def test_a_server_that_is_unavailable_is_one_message(store: ObjectStore) -> None:
    results = fill(Results(store.url("away")))
    store.stop()
    try:
        for ask in (results.manifest, lambda: results.read("epochs")):
            with pytest.raises(ResultsError, match="cannot be read: the store is unavailable"):
                ask()
    finally:
        store.start()
