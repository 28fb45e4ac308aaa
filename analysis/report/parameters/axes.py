"""Positions of a hyperparameter's values on an axis, and the trials that figures show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import Any

from analysis import formats
from analysis.report.presentation.cursor import At

#: Up to this many integers are drawn like categories.
_LEVELS = 8
_GOLDEN = 0.6180339887


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """One trial as figures show it.

    Attributes:
        better: share of its arm's trials that had a better score, in [0, 1).
        stopped: ended early, so its score is a lower bound.
    """

    trial: int
    arm: str
    score: float
    better: float
    stopped: bool
    chosen: bool
    values: Mapping[str, Any]


def drawn_trials(parameters: At) -> list[Drawn]:
    """The trials in the figures, in sampling order."""
    trials = parameters["trials"].value
    names = [column["name"] for column in trials["columns"]]
    rows = {row[0]: dict(zip(names, row, strict=True)) for row in trials["rows"]}
    return [
        Drawn(
            trial=one["trial"],
            arm=rows[one["trial"]]["arm"],
            score=rows[one["trial"]][trials["score"]],
            better=one["better"],
            stopped=one["stopped"],
            chosen=one["chosen"],
            values={**trials["shared"], **rows[one["trial"]]},
        )
        for one in trials["drawn"]
    ]


def words(parameter: str) -> str:
    """A parameter's display name."""
    return parameter.replace("_", " ")


def levels(domain: Mapping[str, Any]) -> list[Any] | None:
    """The values of a parameter with few values, in order; None for a range."""
    if "values" in domain:
        return list(domain["values"])
    span = domain["high"] - domain["low"]
    if domain["whole"] and span < _LEVELS:
        return list(range(domain["low"], domain["high"] + 1))
    return None


def place(domain: Mapping[str, Any], value: Any) -> float | None:
    """0 at the low end of the domain, 1 at the high one; None for a value outside it."""
    known = levels(domain)
    if known is not None:
        return known.index(value) / max(1, len(known) - 1) if value in known else None
    if value is None or not domain["low"] <= value <= domain["high"]:
        return None
    low, high, at = domain["low"], domain["high"], value
    if domain["log"]:
        low, high, at = log(low), log(high), log(at)
    return float((at - low) / (high - low))


def ends(domain: Mapping[str, Any]) -> Sequence[tuple[float, str]]:
    """Labelled positions along the axis, with their labels."""
    known = levels(domain)
    if known is None:
        return [(0.0, formats.general(domain["low"])), (1.0, formats.general(domain["high"]))]
    return [(i / max(1, len(known) - 1), formats.general(v)) for i, v in enumerate(known)]


def spread(number: int) -> float:
    """An offset in [-0.5, 0.5) that separates trials with the same value (golden ratio)."""
    return (number * _GOLDEN) % 1.0 - 0.5
