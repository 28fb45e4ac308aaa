"""The resource in which cost is measured, and the hours that runs held of it."""

from __future__ import annotations

from typing import Literal

import pandas as pd

from analysis.inputs.search import Search
from analysis.report.quantities import Json, quantity

Resource = Literal["accelerator", "cpu"]


def resource_of(search: Search) -> Resource:
    """Accelerators, or CPUs where no run held an accelerator."""
    tables = (search.trials, search.confirmations)
    held = any(float(table["accelerator_seconds"].sum()) > 0 for table in tables)
    return "accelerator" if held else "cpu"


def resource_name(resource: Resource) -> str:
    """The name before ``-hours``."""
    return {"accelerator": "accelerator", "cpu": "CPU"}[resource]


def hours(resource: Resource, *tables: pd.DataFrame) -> float:
    """Hours that the runs of ``tables`` held of ``resource``, each times the share it held."""
    return sum(float(table[f"{resource}_seconds"].sum()) for table in tables) / 3600


def held_hours(resource: Resource, *tables: pd.DataFrame, of: str) -> Json:
    """:func:`hours` as a quantity; ``of`` names the runs."""
    return quantity(
        hours(resource, *tables),
        unit="hours",
        n=sum(map(len, tables)),
        of=of,
        estimator="sum over ended runs of seconds times share held",
    )
