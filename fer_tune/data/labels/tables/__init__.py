"""Tables of labels: text, JSON and Parquet as rows of cells."""

from fer_tune.data.labels.tables.boxes import box_error, check_box_columns
from fer_tune.data.labels.tables.opening import (
    MAX_FIELD,
    SUFFIXES,
    TextTable,
    is_table,
    open_table,
    readable_table,
    text_in,
)

__all__ = [
    "MAX_FIELD",
    "SUFFIXES",
    "TextTable",
    "box_error",
    "check_box_columns",
    "is_table",
    "open_table",
    "readable_table",
    "text_in",
]
