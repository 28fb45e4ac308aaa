"""Which test split, and where its ledger is.

::

    DATASET/test_readings.jsonl            of a dataset in a folder that this user can write to
    STATE/test_readings/FINGERPRINT.jsonl  of all others, such as datasets at a URL

STATE is ``$FER_TUNE_STATE``, or ``fer_tune`` in ``$XDG_STATE_HOME`` or ``~/.local/state``.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np

from fer_tune.data.dataset import DatasetIndex
from fer_tune.process.home import home_folder

#: Of a packed dataset, beside its other files.
LEDGER = "test_readings.jsonl"


def fingerprint_of_test(dataset: DatasetIndex) -> str:
    """SHA-256 over the contents of the test pictures: 64 hex digits, whatever else is packed."""
    contents = np.unique(dataset.hashes[dataset.splits == "test"])
    return hashlib.sha256("\n".join(contents.tolist()).encode()).hexdigest()


def state_folder() -> Path:
    """Where this user's state is kept; it need not exist."""
    if set_by_user := os.environ.get("FER_TUNE_STATE"):
        return Path(set_by_user)
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else home_folder() / ".local" / "state") / "fer_tune"


def ledgers(dataset: DatasetIndex, *, is_copy: bool) -> list[Path]:
    """The files that may hold readings of the test split, the one to write to first.

    Args:
        is_copy: whether the dataset is a copy of one at a URL, in a cache.
    """
    in_state = state_folder() / "test_readings" / f"{fingerprint_of_test(dataset)}.jsonl"
    if is_copy or not isinstance(dataset.root, Path):
        return [in_state]
    beside = dataset.root / LEDGER
    writable = os.access(beside if beside.exists() else dataset.root, os.W_OK)
    return [beside, in_state] if writable else [in_state, beside]
