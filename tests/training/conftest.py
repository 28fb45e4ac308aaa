from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fer_tune.data import PackedDataset
from fer_tune.space import TrialConfig
from fer_tune.training.context import TrialContext
from fer_tune.training.trial import RunSeeds, TrialRun

Make = Callable[..., TrialRun]


@pytest.fixture
def make(faces: PackedDataset, tmp_path: Path) -> Make:
    """Builds a small run; keywords go to the context, ``config`` to the configuration."""

    def build(config: dict[str, Any] | None = None, seed: int = 1, **changes: Any) -> TrialRun:
        options: dict[str, Any] = {
            key: changes.pop(key) for key in ("keep_best", "stop_early") if key in changes
        }
        settings: dict[str, Any] = {
            "dataset": str(faces.root),
            "fingerprint": faces.fingerprint,
            "validation_share": 0.25,
            "split_seed": 0,
            "leaks": "drop",
            "conflicts": "drop",
            "weights": "none",
            "weights_seed": 0,
            "view_seed": 0,
            "views": 2,
            "resize_ratio": 1.14,
            "precision": "float32",
            "max_epochs": 4,
            "metric": "macro_f1",
            "patience": None,
            "window": 3,
            "bank": str(tmp_path / "bank"),
            "bank_bytes": None,
            "threads": 1,
            **changes,
        }
        values = {"backbone": "resnet18", "crop_size": 32, "batch_size": 16, **(config or {})}
        seeds = RunSeeds(run=seed, weights=0, views=0)
        run = TrialRun(TrialContext(**settings), TrialConfig(**values), seeds, **options)
        run.prepare()
        return run

    return build
