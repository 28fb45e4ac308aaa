"""What records cannot answer: a search space that they do not cover."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from fer_tune.errors import ResultsError
from fer_tune.simulation.recorded.curve_trees import curves_of
from fer_tune.simulation.recorded.surrogate import (
    FEWEST_CONFIGURATIONS,
    FEWEST_EPOCHS,
    config_of,
)
from fer_tune.space import ChoiceDomain, Domain, SearchSpace, TrialConfig
from fer_tune.space.domains import same


def check_covered(
    space: SearchSpace,
    recorded: SearchSpace,
    trials: pd.DataFrame,
    epochs: pd.DataFrame,
    *,
    where: str,
) -> None:
    """Raises unless ``space`` can be simulated from the records.

    Args:
        recorded: the search space of the records.
        trials, epochs: the tables.
        where: the results folder.

    Raises:
        ResultsError: with all reasons.
    """
    reasons = [*_compared(space, recorded)]
    if not reasons:
        curves = curves_of(epochs)
        for arm in space.compare.arms:
            reasons += _parameters(space, recorded, arm)
            lengths: dict[TrialConfig, int] = {}
            for row in trials[trials["arm"] == arm].to_dict("records"):
                config, length = config_of(row), len(curves.get(row["trial"], ()))
                lengths[config] = max(length, lengths.get(config, 0))
            reasons += _curves(space, arm, list(lengths.values()))
    if reasons:
        raise ResultsError(
            f"{space.name} cannot be simulated from these records: {'; '.join(reasons)}",
            where=where,
            remedy="Choose records of the same space, or --curves analytic",
        )


def check_alike(recorded: Sequence[SearchSpace], *, where: str) -> None:
    """Raises unless the records of several searches can be fitted together.

    Raises:
        ResultsError: with all differences to the first search.
    """
    first = recorded[0]
    reasons: dict[str, None] = {}
    for other in recorded[1:]:
        reasons |= dict.fromkeys(_settings(first, other))
        lengths = first.budget.max_epochs, other.budget.max_epochs
        if lengths[0] != lengths[1]:
            reasons[f"max_epochs was {lengths[1]}, not {lengths[0]}"] = None
    if reasons:
        raise ResultsError(
            f"these searches differ from the first: {'; '.join(reasons)}",
            where=where,
            remedy="Give --from for searches with the same settings alone",
        )


def of_space(recorded: SearchSpace, trials: pd.DataFrame) -> pd.DataFrame:
    """The rows of ``trials`` whose configurations ``recorded`` samples or has as baselines."""

    def belongs(row: dict[Any, Any]) -> bool:
        arm, config = row["arm"], config_of(row)
        known = arm in recorded.compare.arms
        return known and (recorded.covers(arm, config) or config in recorded.baselines(arm))

    return trials[[belongs(row) for row in trials.to_dict("records")]]


def _compared(space: SearchSpace, recorded: SearchSpace) -> Iterator[str]:
    ours, theirs = space.compare, recorded.compare
    if ours.parameter != theirs.parameter:
        yield f"they compare {theirs.parameter}, not {ours.parameter}"
        return
    for arm, value in ours.arms.items():
        if arm not in theirs.arms or not same(theirs.arms[arm], value):
            yield f"arm {arm} ({value}) has no trials"
    yield from _settings(space, recorded)


def _settings(space: SearchSpace, recorded: SearchSpace) -> Iterator[str]:
    """What is no hyperparameter, but changes curves."""
    if space.weights != recorded.weights:
        yield f"weights were {recorded.weights}, not {space.weights}"
    for section in ("data", "augment"):
        ours = getattr(space, section).model_dump()
        for key, value in getattr(recorded, section).model_dump().items():
            if value != ours[key]:
                yield f"{section}.{key} was {value}, not {ours[key]}"


def _parameters(space: SearchSpace, recorded: SearchSpace, arm: str) -> Iterator[str]:
    """Parameters of an arm whose values the records do not have."""
    ours, theirs = space.domains(arm), recorded.domains(arm)
    fixed = space.config(arm, {}).as_dict()
    was_fixed = recorded.config(arm, {}).as_dict()
    for name, value in fixed.items():
        if name in ours:
            if name not in theirs:
                yield f"{arm}: {name} was not sampled, but {was_fixed[name]}"
            elif not _within(ours[name], theirs[name]):
                yield f"{arm}: {name} is sampled outside the recorded domain"
        elif name in theirs:
            if not theirs[name].contains(value):
                yield f"{arm}: {name} {value} is outside the recorded domain"
        elif not same(value, was_fixed[name]):
            yield f"{arm}: {name} was {was_fixed[name]}, not {value}"


def _within(ours: Domain, theirs: Domain) -> bool:
    if isinstance(ours, ChoiceDomain):
        return all(theirs.contains(value) for value in ours.values)
    if isinstance(theirs, ChoiceDomain):
        if ours.type == "float":
            return False
        return all(map(theirs.contains, range(ours.low, ours.high + 1, ours.step)))
    return theirs.low <= ours.low and ours.high <= theirs.high


def _curves(space: SearchSpace, arm: str, lengths: list[int]) -> Iterator[str]:
    """Args: lengths: epochs of each recorded configuration."""
    usable = sum(length >= FEWEST_EPOCHS for length in lengths)
    if usable < FEWEST_CONFIGURATIONS:
        yield (
            f"arm {arm} has {usable} configurations with at least {FEWEST_EPOCHS} epochs, and "
            f"needs {FEWEST_CONFIGURATIONS}"
        )
    elif max(lengths) < space.budget.max_epochs:
        yield f"arm {arm} was trained for at most {max(lengths)} epochs"
