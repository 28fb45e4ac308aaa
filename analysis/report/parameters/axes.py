"""Positions of a hyperparameter's values on an axis, and the trials that figures show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log

from analysis import formats
from analysis.report.parameters.schema import Domain, ParametersPart
from analysis.report.values import Scalar

#: Up to this many integers are drawn like categories.
_LEVELS = 8
_GOLDEN = 0.6180339887

#: One of few values of a parameter.
Level = bool | int | float | str | None


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
    values: Mapping[str, Scalar]


def drawn_trials(parameters: ParametersPart) -> list[Drawn]:
    """The trials in the figures, in sampling order."""
    trials = parameters.trials
    names = [column.name for column in trials.columns]
    rows = {row[0]: row for row in trials.rows}
    drawn = []
    for one in trials.drawn:
        row = dict(zip(names, rows[one.trial], strict=True))
        _, arm, *_ = row.values()
        drawn.append(
            Drawn(
                trial=one.trial,
                arm=str(arm),
                score=as_number(row[trials.score]),
                better=one.better,
                stopped=one.stopped,
                chosen=one.chosen,
                values={**trials.shared, **row},
            )
        )
    return drawn


def as_number(value: Level) -> float:
    """A value that is a number."""
    assert isinstance(value, int | float), value
    return value


def words(parameter: str) -> str:
    """A parameter's display name."""
    return parameter.replace("_", " ")


def levels(domain: Domain) -> list[Level] | None:
    """The values of a parameter with few values, in order; None for a range."""
    if domain.values is not None:
        return list(domain.values)
    low, high = _limits(domain)
    if domain.whole and high - low < _LEVELS:
        return list(range(int(low), int(high) + 1))
    return None


def _limits(domain: Domain) -> tuple[float, float]:
    """The ends of a range."""
    assert domain.low is not None and domain.high is not None, domain.parameter
    return domain.low, domain.high


def place(domain: Domain, value: Level) -> float | None:
    """0 at the low end of the domain, 1 at the high one; None for a value outside it."""
    known = levels(domain)
    if known is not None:
        return known.index(value) / max(1, len(known) - 1) if value in known else None
    low, high = _limits(domain)
    if not isinstance(value, int | float) or not low <= value <= high:
        return None
    at: float = value
    if domain.log:
        low, high, at = log(low), log(high), log(at)
    return float((at - low) / (high - low))


def ends(domain: Domain) -> Sequence[tuple[float, str]]:
    """Labelled positions along the axis, with their labels."""
    known = levels(domain)
    if known is None:
        low, high = _limits(domain)
        return [(0.0, formats.general(low)), (1.0, formats.general(high))]
    return [(i / max(1, len(known) - 1), formats.general(v)) for i, v in enumerate(known)]


def spread(number: int) -> float:
    """An offset in [-0.5, 0.5) that separates trials with the same value (golden ratio)."""
    return (number * _GOLDEN) % 1.0 - 0.5
