"""A small search space, and options, of which plans are quickly simulated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from fer_tune.cli.planning import choosing
from fer_tune.simulation import candidates

SPACE: dict[str, Any] = {
    "name": "planned",
    "purpose": "Planned.",
    "compare": {"arms": ["densenet121", "resnet50"]},
    "parameters": {"lr_head": {"type": "float", "low": 1e-4, "high": 1e-1, "log": True}},
    "budget": {"trials": 16, "max_epochs": 6},
    "scheduler": {"grace_epochs": 1, "reduction_factor": 3},
    "confirm": {"seeds": 2},
    "weights": "none",
}
OPTIONS = ("--curves", "analytic", "--runs", "2", "--gpus", "4")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A space whose candidates are quickly simulated."""
    monkeypatch.setattr(choosing, "MOST_SIMULATED", 2)
    monkeypatch.setattr(choosing, "SCREENING_RUNS", 1)
    for name, values in (("REPLICATES", (1,)), ("TRIALS", (8,)), ("FACTORS", (3,))):
        monkeypatch.setattr(candidates, name, values)
    path = tmp_path / "planned.yaml"
    path.write_text(yaml.safe_dump(SPACE))
    return str(path)
