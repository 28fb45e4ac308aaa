"""Chosen values at a limit of the search space: the optimum may lie outside.

The rule: a number is at a limit when it lies within :data:`LIMIT_MARGIN` of the range from that
limit, or beyond it (a baseline may), measured on the scale on which it was sampled. A number from
a list is at a limit when it is the smallest or the largest of three or more; names have no limits.

What that means depends on the limit. A continuous parameter has further values beyond it. An
integer or a number from a list may have none, and no hyperparameter has values below 0: such a
limit is natural, and ``LimitFinding.continuous`` is False.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, isfinite, log
from typing import Any, Literal

import pandas as pd

from analysis.inputs.search import Search
from analysis.settings import LIMIT_MARGIN
from fer_tune.records import ELIGIBLE

End = Literal["low", "high"]

#: Fewest values of a list, or integers, of which some lie inside.
_FEWEST = 3
#: A study's best trials: this share of those that were trained to their end, three at least.
_BEST_SHARE, _BEST = 0.2, 3
#: Share of the range next to a limit within which other good trials confirm it.
_NEAR = 0.1
#: Parameters without effect where another has this value; the sampler draws them anyway.
_IDLE: Mapping[str, tuple[str, object]] = {
    "lr_backbone": ("unfreeze_depth", 0),
    "momentum": ("optimizer", "adamw"),
}


@dataclass(frozen=True, kw_only=True)
class LimitFinding:
    """A chosen value at a limit of its domain.

    Attributes:
        replicate: the study whose choice it is.
        end: which limit.
        continuous: whether the parameter is continuous and has values beyond this end.
    """

    parameter: str
    replicate: int
    value: float
    end: End
    continuous: bool


def at_limit(domain: Mapping[str, Any], value: object) -> End | None:
    """The limit at which ``value`` lies; None for categories, missing values and values inside.

    Args:
        domain: ``{type: float | int, low, high, log?, step?}`` or ``{type: choice, values}``.
    """
    place = position(domain, value)
    if place is None or _options(domain) < _FEWEST:
        return None
    # Differences of logarithms are rounded: 2 % exactly is still at the limit.
    margin = 1e-9 if domain["type"] == "choice" else LIMIT_MARGIN + 1e-9
    if place <= margin:
        return "low"
    return "high" if place >= 1 - margin else None


def position(domain: Mapping[str, Any], value: object) -> float | None:
    """Where ``value`` lies: 0 at the low limit, 1 at the high one, on the sampling scale.

    Numbers of a list are ranked and evenly spaced. A value outside the domain lies below 0 or
    above 1. None for categories, missing values and values that are not in a list.
    """
    at = _number(value)
    if at is None:
        return None
    if domain["type"] == "choice":
        options = [_number(option) for option in domain["values"]]
        ranked = sorted(option for option in options if option is not None)
        if len(ranked) < len(options) or at not in ranked:
            return None
        return ranked.index(at) / (len(ranked) - 1)
    low, high = float(domain["low"]), float(domain["high"])
    if domain.get("log"):
        if at <= 0:
            return 0.0
        low, high, at = log(low), log(high), log(at)
    return (at - low) / (high - low)


def natural(domain: Mapping[str, Any], end: End) -> bool:
    """Whether this limit is natural: the parameter may have no value beyond it."""
    return domain["type"] != "float" or (end == "low" and float(domain["low"]) == 0)


def limit_findings(search: Search, arm: str) -> list[LimitFinding]:
    """Values at a limit in the chosen configurations of ``arm``, or in the best before a choice.

    A learning rate of the backbone in a trial that trains the head alone, and a momentum under
    AdamW, have no effect and are left out.
    """
    chosen = search.trials["trial"].isin(search.chosen[arm])
    rows = search.trials[chosen].sort_values("replicate", kind="stable")
    return [finding for _, row in rows.iterrows() for finding in _in_row(search, arm, row)]


def backed(search: Search, arm: str, finding: LimitFinding) -> bool:
    """Whether at least half of the study's best trials lie near that limit, too.

    One chosen value among several parameters often lies at a limit by chance; the study's other
    good trials do not, unless the optimum is there or beyond. Trials in which the parameter had
    no effect are excluded.
    """
    domain = domains(search, arm, finding.replicate)[finding.parameter]
    mine = search.trials[
        (search.trials["arm"] == arm)
        & (search.trials["replicate"] == finding.replicate)
        & search.trials["state"].isin(ELIGIBLE)
    ].dropna(subset=search.metric_column)
    acting = [not idle(finding.parameter, row) for _, row in mine.iterrows()]
    ranked = mine.loc[acting].sort_values(
        search.metric_column, ascending=search.metric == "loss", kind="stable"
    )
    others = ranked[finding.parameter].iloc[1 : max(_BEST, ceil(_BEST_SHARE * len(ranked)))]
    places = [place for value in others if (place := position(domain, value)) is not None]
    near = [p >= 1 - _NEAR if finding.end == "high" else p <= _NEAR for p in places]
    return bool(near) and 2 * sum(near) >= len(near)


def domains(search: Search, arm: str, replicate: int = 0) -> dict[str, Mapping[str, Any]]:
    """Sampled parameters of a study and their domains, in the order of the search space.

    In merged searches, those of the search that the study came from.
    """
    parameters = _space(search, arm, replicate).get("parameters") or {}
    mine = {name: for_arm(spec, arm) for name, spec in parameters.items()}
    return {name: spec for name, spec in mine.items() if isinstance(spec, Mapping)}


def idle(parameter: str, config: Mapping[str, Any] | pd.Series[Any]) -> bool:
    """Whether ``parameter`` has no effect in a configuration."""
    if parameter not in _IDLE:
        return False
    other, value = _IDLE[parameter]
    return bool(config[other] == value)


def _in_row(search: Search, arm: str, row: pd.Series[Any]) -> list[LimitFinding]:
    replicate = int(row["replicate"])
    found = []
    for name, domain in domains(search, arm, replicate).items():
        if name not in row or idle(name, row):
            continue
        end = at_limit(domain, row[name])
        if end is not None:
            found.append(
                LimitFinding(
                    parameter=name,
                    replicate=replicate,
                    value=float(row[name]),
                    end=end,
                    continuous=not natural(domain, end),
                )
            )
    return found


def _space(search: Search, arm: str, replicate: int) -> Mapping[str, Any]:
    """The search space of the folder that a replicate came from; merging counts them on."""
    first = 0
    for manifest in search.manifests:
        space: Mapping[str, Any] = manifest.get("space") or {}
        if arm in (manifest.get("arms") or {}):
            first += int((space.get("compare") or {}).get("replicates") or 1)
            if replicate < first:
                return space
    return search.get("space", default={})  # type: ignore[no-any-return]


def for_arm(spec: object, arm: str) -> object:
    """How ``arm`` is given a parameter, which the search space may set per arm."""
    return spec["per_arm"].get(arm) if isinstance(spec, Mapping) and "per_arm" in spec else spec


def _options(domain: Mapping[str, Any]) -> float:
    """How many values a domain has."""
    if domain["type"] == "choice":
        return len(domain["values"])
    if domain["type"] == "float":
        return float("inf")
    return int((domain["high"] - domain["low"]) // (domain.get("step") or 1)) + 1


def _number(value: Any) -> float | None:
    """A finite number as it is; numpy's integers are not ``int``, so the type is not enough."""
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        return None
    return float(value) if isfinite(value) else None
