"""What the data were: fingerprint, splits, classes, audit, and what the faults change."""

from __future__ import annotations

from typing import Any

from analysis.report.evidence import Evidence
from analysis.report.quantities import Json, flat
from analysis.report.sections.data_effect import clean_rows, clean_verdicts, subset_rows

#: Keys of the audit that the report shows beside it anyway.
_TOLD_BESIDE = ("fingerprint", "classes", "counts")
#: Numbers of the audit that the report puts into words.
_WORDS = (
    "pictures",
    "imbalance",
    "copy_groups",
    "copy_pictures",
    "test_in_training",
    "test_in_validation",
    "conflicting_groups",
    "conflicting_pictures",
    "blank_contents",
    "blank_pictures",
)


def section(evidence: Evidence) -> Json:
    """Splits, pictures per class, the audit as the manifest tells it, and its effect on scores."""
    search = evidence.search
    splits: dict[str, Any] = dict(search.get("splits", default={}))
    audit: dict[str, Any] = dict(search.get("dataset", "audit", default={}))
    parts = ("train", "validation", "test")
    return {
        "fingerprint": search.get("dataset", "fingerprint"),
        "unit": "pictures",
        "splits": {name: splits.get(name) for name in (*parts, "test_clean")},
        "dropped": dict(splits.get("dropped") or {}),
        "handling": {key: search.get("space", "data", key) for key in ("leaks", "conflicts")},
        "classes": [
            {
                "class": name,
                **{part: (splits.get(f"{part}_counts") or {}).get(name) for part in parts},
            }
            for name in search.classes
        ],
        "counts": {key: audit.get(key) for key in _WORDS} if audit else None,
        "audit": flat({k: v for k, v in audit.items() if k not in _TOLD_BESIDE}),
        "scores": clean_rows(evidence),
        "subsets": subset_rows(evidence),
        "verdicts": clean_verdicts(evidence),
    }
