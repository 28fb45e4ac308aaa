"""Cost of the search: hours by arm, phase and study, speed, memory, Pareto fronts."""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis.estimators.tuning.order_median import median_interval
from analysis.inputs.search import Search
from analysis.report.cost.fronts import arm_fronts, trial_fronts
from analysis.report.evidence import Evidence
from analysis.report.quantities import Json, estimated, quantity
from analysis.report.resource import (
    Resource,
    held_hours,
    hours,
    resource_name,
    resource_of,
)
from analysis.settings import Settings

_LATENCY = {"p50_ms": "ms per picture", "p95_ms": "ms per picture", "peak_memory_mib": "MiB"}


def section(evidence: Evidence) -> Json:
    """Hours are accelerator-hours, or CPU-hours where no run held an accelerator."""
    search, settings = evidence.search, evidence.settings
    resource = resource_of(search)
    arms = [_arm(search, arm, resource, settings) for arm in search.arms]
    return {
        "resource": resource_name(resource),
        "currency": settings.currency,
        "price_per_hour": settings.price_per_hour,
        "running": len(search.running),
        "arms": arms,
        "total": _phases(search.trials, search.confirmations, resource, settings),
        "fronts": arm_fronts(search, _costs(arms)),
        "trials": trial_fronts(search),
    }


def _arm(search: Search, arm: str, resource: Resource, settings: Settings) -> Json:
    trials = search.trials[search.trials["arm"] == arm]
    runs = search.confirmations[search.confirmations["arm"] == arm]
    numbers = sorted({*trials["replicate"], *runs["replicate"]})
    return {
        "arm": arm,
        **_phases(trials, runs, resource, settings),
        "studies": [
            {
                "replicate": int(number),
                **_phases(
                    trials[trials["replicate"] == number],
                    runs[runs["replicate"] == number],
                    resource,
                    settings,
                ),
            }
            for number in numbers
        ],
        "one_more": _one_more(trials, runs, len(numbers), resource),
        "epochs_per_hour": _rate(trials),
        "seconds_per_epoch": _pace(search, trials),
        "latency": _latency(search.latency.get(arm)),
        "measured_beside_others": _beside_others(search.latency.get(arm)),
        "parameters": search.get("arms", arm, "parameters"),
    }


def _phases(
    trials: pd.DataFrame, runs: pd.DataFrame, resource: Resource, settings: Settings
) -> Json:
    """Hours of the search, of the confirmation, of both, and their price."""
    both = held_hours(resource, trials, runs, of="runs")
    price = None
    if settings.price_per_hour is not None:
        price = quantity(
            both["value"] * settings.price_per_hour,
            unit=settings.currency,
            n=both["n"],
            of="runs",
            estimator="hours times the price of an hour",
        )
    return {
        "search": held_hours(resource, trials, of="trials"),
        "confirmation": held_hours(resource, runs, of="confirmation runs"),
        "both": both,
        "price": price,
    }


def _one_more(trials: pd.DataFrame, runs: pd.DataFrame, studies: int, resource: Resource) -> Json:
    """Hours of one more confirmation seed and of one more study, by the mean so far."""
    both = hours(resource, trials, runs)
    seed = hours(resource, runs) / len(runs) if len(runs) else None
    return {
        "seed": quantity(
            seed,
            unit="hours",
            n=len(runs),
            of="confirmation runs",
            estimator="mean hours of a run",
        ),
        "study": quantity(
            both / studies if studies else None,
            unit="hours",
            n=studies,
            of="studies",
            estimator="mean hours of a study, search and confirmation",
        ),
    }


def _rate(trials: pd.DataFrame) -> Json:
    seconds, epochs = float(trials["seconds"].sum()), int(trials["epochs"].sum())
    return quantity(
        3600 * epochs / seconds if seconds > 0 and epochs else None,
        unit="epochs per hour of a trial's own time",
        n=len(trials),
        of="trials",
        estimator="epochs run over seconds taken",
    )


def _pace(search: Search, trials: pd.DataFrame) -> Json | None:
    rows = search.epochs[search.epochs["trial"].isin(trials["trial"])]
    medians = rows.groupby("trial")["seconds"].median().dropna()
    if medians.empty:
        return None
    return estimated(median_interval(medians), unit="s per epoch, median of a trial", of="trials")


def _latency(measured: Any) -> Json | None:
    """Medians over confirmation runs, as recorded."""
    if not measured:
        return None
    return {
        name: quantity(
            measured.get(name),
            unit=unit,
            n=len(measured.get("runs") or ()),
            of="confirmation runs",
            estimator="median over confirmation runs",
        )
        for name, unit in _LATENCY.items()
    }


def _beside_others(measured: Any) -> Json | None:
    """Of how many confirmation runs the latency was measured while others ran on the machine.

    Without a value where it was not recorded.
    """
    if not measured:
        return None
    others = [run.get("others") for run in measured.get("runs") or ()]
    known = bool(others) and None not in others
    return quantity(
        sum(bool(number) for number in others) if known else None,
        unit="runs",
        n=len(others),
        of="confirmation runs",
        estimator="count of those measured while other runs were in progress on the machine",
    )


def _costs(arms: list[Json]) -> dict[str, list[float | None]]:
    """By cost a value per arm."""

    def latency(name: str) -> list[float | None]:
        return [arm["latency"][name]["value"] if arm["latency"] else None for arm in arms]

    return {
        "search": [arm["search"]["value"] for arm in arms],
        "latency": latency("p50_ms"),
        "memory": latency("peak_memory_mib"),
        "parameters": [arm["parameters"] for arm in arms],
    }
