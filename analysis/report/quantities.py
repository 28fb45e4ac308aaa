"""Numbers of report.json, each with estimator, n, interval and unit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis.estimators.estimate import Estimate

Json = dict[str, Any]

F1 = "macro-F1, 0 to 1"
SHARE = "share, 0 to 1"


def quantity(
    value: float | None,
    *,
    unit: str,
    n: int,
    of: str,
    estimator: str,
    low: float | None = None,
    high: float | None = None,
    level: float | None = None,
) -> Json:
    """One number; ``n`` is the number of ``of`` (seeds, studies, test pictures, trials)."""
    return {
        "value": value,
        "low": low,
        "high": high,
        "level": level,
        "n": n,
        "of": of,
        "unit": unit,
        "estimator": estimator,
    }


def estimated(estimate: Estimate | None, *, unit: str, of: str) -> Json | None:
    """An :class:`Estimate` as a quantity; None stays None."""
    if estimate is None:
        return None
    return quantity(
        estimate.value,
        unit=unit,
        n=estimate.n,
        of=of,
        estimator=estimate.estimator,
        low=estimate.low,
        high=estimate.high,
        level=estimate.level if estimate.low is not None else None,
    )


def plain(value: Any) -> Any:
    """``value`` in JSON's own types; NaN, infinities and pandas' missing values become null."""
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, str):
        return value
    if isinstance(value, Sequence):
        return [plain(inner) for inner in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int):
        return value
    return None if pd.isna(value) else str(value)


def whole(value: Any) -> int | None:
    """A nullable integer of a frame (stored as a float) as an integer or null."""
    return None if pd.isna(value) else int(value)


def flat(tree: Mapping[str, Any], prefix: str = "") -> list[Json]:
    """A nested mapping of the manifest as rows (name, value).

    A nested mapping of plain values is one row; long lists are shown by their length.
    """
    rows: list[Json] = []
    for key, value in tree.items():
        name = f"{prefix}{key}".replace("_", " ")
        inner = value.values() if isinstance(value, Mapping) else value
        compound = isinstance(value, Mapping | list | tuple)
        simple = compound and not any(isinstance(v, Mapping | list | tuple) for v in inner)
        if isinstance(value, Mapping) and simple:
            text = ", ".join(f"{k} {v}".replace("_", " ") for k, v in value.items())
            rows.append({"name": name, "value": text or "none"})
        elif isinstance(value, Mapping):
            rows += flat(value, f"{name}: ")
        elif compound:
            short = simple and len(value) <= 8
            text = ", ".join(str(v) for v in value) if short else f"{len(value)} entries"
            rows.append({"name": name, "value": text or "none"})
        else:
            rows.append({"name": name, "value": value})
    return rows
