"""The dataset: fingerprint, splits, classes, audit, and the effect of its findings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analysis.report.data.effect import clean_rows, clean_verdicts, subset_rows
from analysis.report.evidence import Evidence
from analysis.report.quantities import Json, flat

#: Keys of the audit that the report shows elsewhere.
_SHOWN_ELSEWHERE = ("fingerprint", "classes", "counts")
#: Numbers of the audit that the report states in sentences.
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
    "near_groups",
    "near_pictures",
    "near_in_training",
    "near_in_validation",
)
#: Reasons for which pictures are removed from training and validation.
_REASONS = ("leaked", "conflicting", "copy_of_validation")


def section(evidence: Evidence) -> Json:
    """Splits, pictures by class, the audit as recorded, and its effect on scores."""
    search = evidence.search
    splits: dict[str, Any] = dict(search.get("splits", default={}))
    audit: dict[str, Any] = dict(search.get("dataset", "audit", default={}))
    parts = ("train", "validation", "test")
    return {
        "fingerprint": search.get("dataset", "fingerprint"),
        "unit": "pictures",
        "splits": {name: splits.get(name) for name in (*parts, "test_clean")},
        "dropped": _dropped(splits.get("dropped") or {}),
        "handling": {key: search.get("space", "data", key) for key in ("leaks", "conflicts")},
        "near_copies_count": search.near_copies_count,
        "classes": [
            {
                "class": name,
                **{part: (splits.get(f"{part}_counts") or {}).get(name) for part in parts},
            }
            for name in search.classes
        ],
        "counts": {key: audit.get(key) for key in _WORDS} if audit else None,
        "audit": flat({k: v for k, v in audit.items() if k not in _SHOWN_ELSEWHERE}),
        "scores": clean_rows(evidence),
        "subsets": subset_rows(evidence),
        "verdicts": clean_verdicts(evidence),
    }


def _dropped(recorded: Mapping[str, int]) -> dict[str, int | None]:
    """Pictures removed, by reason; reasons of later versions together."""
    other = [number for reason, number in recorded.items() if reason not in _REASONS]
    return {
        **{reason: recorded.get(reason) for reason in _REASONS},
        "other": sum(other) if other else None,
    }
