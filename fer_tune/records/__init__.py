"""The on-disk contract between the platform and the analysis: one results folder per search.

Tables are folders of Parquet parts. A part is written under a dot-name and renamed into
place, so a reader sees only complete parts at any time, and a SIGKILL cannot tear one. In an object
store a part is an object, which is always written atomically.
``pandas.read_parquet(folder)`` reads a table; :meth:`Results.read` also drops rows that a
restarted trial reported again (the last part wins).

These modules know neither torch nor Ray, so that the analysis runs on a laptop without them.
"""

from fer_tune.records.results import Results
from fer_tune.records.tables import (
    CONFIG_COLUMNS,
    ELIGIBLE,
    KEYS,
    SCHEMA_VERSION,
    SCHEMAS,
    TableName,
)
from fer_tune.schema.tables import COHORTS, SAMPLED, TRIAL_STATES

__all__ = [
    "COHORTS",
    "CONFIG_COLUMNS",
    "ELIGIBLE",
    "KEYS",
    "SAMPLED",
    "SCHEMAS",
    "SCHEMA_VERSION",
    "TRIAL_STATES",
    "Results",
    "TableName",
]
