"""How a search runs on this machine or cluster. Imports nothing heavy: the command line uses it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Verbosity = Literal["quiet", "normal", "verbose"]


@dataclass(frozen=True, kw_only=True)
class SearchOptions:
    """How a search runs on this machine or cluster.

    None of it changes what is found, but for rounding where entries are too large for the bank.

    Attributes:
        address: of a running Ray cluster; None starts Ray here.
        cpus: that the Ray started here may use; None for all.
        bank: folder of the feature bank on every node; None for the default place.
        bank_bytes: bound on it; None for a quarter of the free disk, at most 32 GiB.
        dashboard: start Ray's dashboard with a Ray started here.
        verbosity: ``quiet`` tells faults alone while it runs, ``verbose`` every event and what
            Ray has to say, in place of the live table.
    """

    address: str | None = None
    cpus: int | None = None
    bank: Path | None = None
    bank_bytes: int | None = None
    dashboard: bool = True
    verbosity: Verbosity = "normal"
