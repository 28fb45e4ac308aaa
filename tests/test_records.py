from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from fer_tune.errors import ResultsError
from fer_tune.records import SCHEMA_VERSION, Results

WRITER = """
import sys
from fer_tune.records import Results
results = Results(sys.argv[1])
epoch = 0
while True:
    epoch += 1
    row = {"trial": 1, "arm": "a", "epoch": epoch, "train_loss": 1.0}
    results.append("epochs", [row], part=f"{epoch:08d}")
"""


def row(trial: int, epoch: int, loss: float) -> dict[str, object]:
    return {"trial": trial, "arm": "a", "epoch": epoch, "train_loss": loss}


def test_rows_come_back_sorted_and_the_last_report_wins(tmp_path: Path) -> None:
    results = Results(tmp_path)
    results.append("epochs", [row(1, 2, 0.2), row(1, 1, 0.1)], part="a")
    results.append("epochs", [row(0, 1, 0.5)], part="b")
    results.append("epochs", [row(1, 2, 0.9)], part="c")
    frame = results.read("epochs")
    found = frame[["trial", "epoch", "train_loss"]].values.tolist()
    assert found == [[0, 1, 0.5], [1, 1, 0.1], [1, 2, 0.9]]


def test_pandas_reads_the_folder_itself(tmp_path: Path) -> None:
    results = Results(tmp_path)
    results.append("epochs", [row(1, 1, 0.1)], part="a")
    results.append("epochs", [row(1, 2, 0.2)], part="b")
    assert len(pd.read_parquet(results.folder("epochs"))) == 2


def test_an_absent_table_is_empty_with_its_columns(tmp_path: Path) -> None:
    frame = Results(tmp_path).read("trials")
    assert len(frame) == 0 and "best_val_macro_f1" in frame.columns


def test_a_named_part_replaces_its_predecessor(tmp_path: Path) -> None:
    results = Results(tmp_path)
    for loss in (0.1, 0.2):
        results.append("epochs", [row(1, 1, loss)], part="run-1")
    assert len(list(results.folder("epochs").iterdir())) == 1
    assert results.read("epochs")["train_loss"].tolist() == [0.2]


def test_unknown_columns_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="speed"):
        Results(tmp_path).append("epochs", [{"trial": 1, "speed": 3.0}], part="a")


def test_a_killed_writer_leaves_only_whole_parts(tmp_path: Path) -> None:
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)])
    results = Results(tmp_path)
    deadline = time.monotonic() + 60
    try:
        seen = 0
        while seen < 200 and time.monotonic() < deadline:
            seen = len(results.read("epochs"))  # readable at any instant while it is written
    finally:
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
    epochs = results.read("epochs")["epoch"].tolist()
    assert epochs == list(range(1, len(epochs) + 1)) and len(epochs) >= seen >= 200


def test_manifest_round_trip_and_update(tmp_path: Path) -> None:
    results = Results(tmp_path)
    results.write_manifest({"state": "running"})
    results.update_manifest(state="finished", ended=1.5)
    manifest = Results.open(tmp_path).manifest()
    assert manifest == {"state": "finished", "ended": 1.5, "schema_version": SCHEMA_VERSION}
    assert [p.name for p in tmp_path.iterdir()] == ["manifest.json"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "not a results folder"),
        ("{", "not valid JSON"),
        ("[]", "is not a mapping"),
        ('{"schema_version": 99}', "schema version 99"),
    ],
)
def test_what_is_no_results_folder_is_reported(
    tmp_path: Path, text: str | None, message: str
) -> None:
    if text is not None:
        (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(ResultsError, match=message):
        Results.open(tmp_path)
