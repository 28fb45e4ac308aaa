"""How a search runs on this machine or cluster. Imports nothing heavy: the command line uses it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Verbosity = Literal["quiet", "normal", "verbose"]

#: Seconds between two checkpoints of a run, by default.
CHECKPOINT_INTERVAL_S = 60.0


@dataclass(frozen=True, kw_only=True)
class SearchOptions:
    """How a search runs on this machine or cluster.

    None of it changes the results, except by rounding where features are too large for the bank.

    Attributes:
        address: of a running Ray cluster; None starts Ray here.
        cpus: for the Ray started here; None for all.
        bank: folder of the feature bank on every node; None for the default folder.
        bank_bytes: bound on it; None for a quarter of what is free or taken by it when the search
            begins, at most 32 GiB. A resume keeps it.
        dashboard: start Ray's dashboard with a Ray started here.
        checkpoint_interval_s: seconds from one checkpoint of a run to the next, which a kill may
            cost besides the running epoch; 0 saves every epoch before it is reported.
        prediction: of ``fer-tune plan`` or ``simulate``, kept in the manifest of a new search for
            the report (``Prediction`` in ``schema/manifest.py``).
        verbosity: ``quiet`` prints only errors while it runs, ``verbose`` every event and Ray's
            own log, in place of the live table.
    """

    address: str | None = None
    cpus: int | None = None
    bank: Path | None = None
    bank_bytes: int | None = None
    dashboard: bool = True
    checkpoint_interval_s: float = CHECKPOINT_INTERVAL_S
    prediction: Mapping[str, Any] | None = None
    verbosity: Verbosity = "normal"
