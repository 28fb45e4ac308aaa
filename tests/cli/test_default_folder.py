"""Where results go unless the command line says otherwise."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fer_tune.cli.searching import default_folder
from fer_tune.errors import ResultsError


@pytest.mark.parametrize(
    ("variable", "parent"),
    [(None, "results"), ("", "results"), ("/shared/all of them", "/shared/all of them")],
)
def test_the_parent_comes_from_the_environment(
    variable: str | None, parent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FER_TUNE_RESULTS", raising=False)
    if variable is not None:
        monkeypatch.setenv("FER_TUNE_RESULTS", variable)
    folder = default_folder("quickstart")
    assert isinstance(folder, Path) and str(folder.parent) == parent
    assert re.fullmatch(r"quickstart-\d{8}-\d{6}", folder.name)


def test_the_parent_may_be_a_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FER_TUNE_RESULTS", "s3://bucket/all")
    assert re.fullmatch(
        r"s3://bucket/all/quickstart-\d{8}-\d{6}", str(default_folder("quickstart"))
    )
    monkeypatch.setenv("FER_TUNE_RESULTS", "ftp://host/all")
    with pytest.raises(ResultsError, match="ftp:// is not a supported store"):
        default_folder("quickstart")
