"""What commands say of earlier readings of a test split."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from fer_tune.data import PackedDataset
from fer_tune.data.readings import LEDGER, record_reading
from tests.command_line import Run

ONE = "1" * 32


def test_the_audit_and_an_evaluation_say_how_often(
    run: Run, faces: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FER_TUNE_STATE", str(tmp_path / "state"))
    shutil.copytree(faces.root, tmp_path / "packed")
    (tmp_path / "packed" / LEDGER).unlink(missing_ok=True)  # what other tests left
    dataset = PackedDataset.open(tmp_path / "packed")
    record_reading(dataset, "search", ONE, "first")
    table = ["picture," + ",".join(dataset.classes)]
    for place in np.flatnonzero(dataset.splits == "test"):
        table.append(f"{dataset.origins[place]}" + ",1" * len(dataset.classes))
    (tmp_path / "p.csv").write_text("\n".join(table) + "\n")
    for _ in range(2):
        code, out, err = run(
            "evaluate", f"predictions:{tmp_path / 'p.csv'}", "--data", dataset.root
        )
        assert code == 0, err
        assert "test split read by: 1 search and 1 evaluated model" in out
    code, out, _ = run("data", "audit", dataset.root)
    assert code == 0 and "test split read by: 1 search and 1 evaluated model" in out
    (dataset.root / LEDGER).write_bytes(b"torn\n")
    code, out, err = run("data", "audit", dataset.root, "--json")
    assert code == 0 and "1 line of the ledger" in " ".join(err.split())
    assert '"searches": 0' in out
