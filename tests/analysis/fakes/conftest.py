"""Made-up results folders, one of each scenario for a file of tests."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from fake_folder import Folder
from fake_search import SCENARIOS


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Any:
    @cache
    def written(name: str) -> Folder:
        return Folder(tmp_path_factory.mktemp(name), SCENARIOS[name])

    return written


@pytest.fixture(scope="module")
def difference(folder: Any) -> Folder:
    found: Folder = folder("difference")
    return found
