"""What several rooms' tests share: a small packed dataset of drawn faces, and the real sample."""

from __future__ import annotations

from pathlib import Path

import pytest

from fer_tune.data import PackedDataset, import_source

SAMPLE = Path(__file__).resolve().parents[1] / "../shared/data"


@pytest.fixture(scope="session")
def faces(tmp_path_factory: pytest.TempPathFactory) -> PackedDataset:
    """120 drawn faces, packed."""
    folder = tmp_path_factory.mktemp("faces") / "packed"
    import_source("synthetic:120", folder)
    return PackedDataset.open(folder)
