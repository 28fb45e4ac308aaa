"""A made-up ``probe.json``: features that carry most of the way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fake_plan import Plan

from fer_tune.schema.probe import PROBE_FILE, PROBE_VERSION
from fer_tune.storage import write_atomically

CROPS = (48, 96)


def probe_of(plan: Plan, fingerprint: str, weights: str) -> dict[str, Any]:
    """What `fer-tune probe` would have recorded of the arms of a plan."""
    rows = [_row(arm, crop, skill - 0.1 + crop / 2400) for arm, skill in plan.skill.items()
            for crop in CROPS]  # fmt: skip
    return {
        "version": PROBE_VERSION,
        "space": plan.name,
        "fingerprint": fingerprint,
        "weights": weights,
        "metric": "macro_f1",
        "pictures": 900,
        "groups": 850,
        "folds": 5,
        "level": 0.95,
        "estimator": "5-fold cross-validation; percentile bootstrap over groups of pictures",
        "device": "cpu",
        "precision": "float32",
        "seconds": 200.0,
        "rows": rows,
    }


def _row(arm: str, crop: int, score: float) -> dict[str, Any]:
    def around(value: float) -> dict[str, float]:
        return {"value": value, "low": value - 0.03, "high": value + 0.03}

    return {
        "arm": arm,
        "backbone": arm,
        "crop_size": crop,
        "augment_policy": "plain",
        "features": 2048,
        "scores": {"macro_f1": around(score), "accuracy": around(score + 0.05),
                   "loss": around(1.2)},
        "strengths": [0.01, 0.01, 0.1, 0.01, 0.01],
        "from_bank": False,
        "feature_seconds": 20.0,
        "fit_seconds": 30.0,
    }  # fmt: skip


def write_probe(folder: Path, plan: Plan, fingerprint: str, weights: str) -> None:
    found = probe_of(plan, fingerprint, weights)
    write_atomically(folder / PROBE_FILE, json.dumps(found, indent=2) + "\n")
