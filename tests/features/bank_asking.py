"""Asks a bank for an entry of numbered rows, as a process does that knows nothing of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fer_tune.features import bank as module
from fer_tune.features import entries
from fer_tune.features.bank import FeatureBank, entry_key
from tests.features.sources import entry as entry_of
from tests.features.sources import rows

KEY = entry_key({"name": "k"})


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entries, "_checked", set())
    monkeypatch.setattr(module, "_logged", set())


def ask(bank: FeatureBank, key: str = KEY) -> tuple[NDArray[Any], bool]:
    found = bank.get(entry_of(key), lambda: rows(10).split(4))
    assert found is not None
    assert np.array_equal(found[0], rows(10).numpy())
    return found


def is_hit(bank: FeatureBank) -> bool:
    return ask(bank)[1]
