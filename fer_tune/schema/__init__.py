"""Validation of files from untrusted sources, before anything else reads them.

Results folders, event logs and packed datasets are shared. Reading one must give its content or one
message, within bounded time and memory, whatever it holds. Each kind of file has its schema here or
beside its reader; shared limits are in ``schema/limits.py``.

Neither torch nor Ray.
"""

from __future__ import annotations

from fer_tune.schema.faults import first_error, shown
from fer_tune.schema.json_text import InvalidJson, TooLarge, parse_json, read_at_most

__all__ = ["InvalidJson", "TooLarge", "first_error", "parse_json", "read_at_most", "shown"]
