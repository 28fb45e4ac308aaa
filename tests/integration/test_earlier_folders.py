"""Folders that an earlier version wrote: a packed dataset, a finished and an interrupted search.

`tests/earlier` holds them as they were written, less what is drawn from the records. They change
only with `SCHEMA_VERSION`.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import analysis
from fer_tune.data import PackedDataset, audit
from fer_tune.records import SCHEMAS, Results
from tests.integration.here import fer_tune_here
from tests.integration.recorded_search import main as replaying

EARLIER = Path(__file__).resolve().parents[1] / "earlier"


def copy(name: str, tmp_path: Path) -> Path:
    return Path(shutil.copytree(EARLIER / name, tmp_path / name))


def test_a_packed_dataset_is_read(tmp_path: Path) -> None:
    dataset = PackedDataset.open(copy("faces", tmp_path))
    recorded = Results(EARLIER / "finished").manifest()["dataset"]
    assert dataset.fingerprint == recorded["fingerprint"]
    found = audit(dataset).as_dict()
    assert {key: found[key] for key in recorded["audit"]} == recorded["audit"]
    assert found["near_groups"] == 0, "searched for on demand"


@pytest.mark.parametrize("table", sorted(SCHEMAS))
def test_every_table_of_a_finished_search_is_read(table: Any) -> None:
    rows = Results(EARLIER / "finished").read(table)
    assert list(rows.columns) == SCHEMAS[table].names
    assert len(rows) > 0 or table == "thumbnails"


def plain(value: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    """Every number, boolean and null of a report, with where it is; texts may be reworded."""
    if isinstance(value, dict):
        for key in value:
            yield from plain(value[key], f"{at}.{key}")
    elif isinstance(value, list):
        for place, part in enumerate(value):
            yield from plain(part, f"{at}[{place}]")
    else:
        yield at, "text" if isinstance(value, str) else value


def close(one: Any, other: Any) -> bool:
    """Equal, but for the last digits of fractions."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
    return type(one) is type(other) and one == other


def test_its_report_has_the_same_numbers(tmp_path: Path) -> None:
    paths = analysis.write_report(copy("finished", tmp_path))
    before = json.loads((EARLIER / "report.json").read_text())
    after = json.loads(paths.json.read_text())
    found, expected = dict(plain(after)), dict(plain(before))
    assert found.keys() >= expected.keys(), "later versions may report more"
    changed = {
        at: (expected[at], found[at]) for at in expected if not close(found[at], expected[at])
    }
    assert changed == {}


@pytest.mark.ray
def test_an_interrupted_search_is_finished(tmp_path: Path) -> None:
    folder, faces = copy("interrupted", tmp_path), copy("faces", tmp_path)
    before = Results(folder).read("epochs")
    words = ["resume", folder, "--data", faces, "--no-dashboard", "--cpus", "1"]
    ended = fer_tune_here(*words, main=replaying, XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert ended.code == 0, ended.err
    results = Results(folder)
    assert results.manifest()["state"] == "finished" and results.manifest()["sittings"] == 2
    row = ["trial", "epoch"]
    epochs, known = results.read("epochs").set_index(row), before.set_index(row)
    assert len(epochs) > len(known) > 0
    pd.testing.assert_frame_equal(epochs.loc[known.index], known)
    trials = results.read("trials")
    assert len(trials) == 6 + 2 * 2 and trials["trial"].is_unique
