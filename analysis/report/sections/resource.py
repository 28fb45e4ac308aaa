"""What a search's cost is counted in."""

from __future__ import annotations

from typing import Literal

from analysis.loading import Search

Resource = Literal["accelerator", "cpu"]


def resource_of(search: Search) -> Resource:
    """Accelerators, or CPUs where no run held an accelerator."""
    tables = (search.trials, search.confirmations)
    held = any(float(table["accelerator_seconds"].sum()) > 0 for table in tables)
    return "accelerator" if held else "cpu"


def resource_name(resource: Resource) -> str:
    """As it stands before ``-hours``."""
    return {"accelerator": "accelerator", "cpu": "CPU"}[resource]
