"""A report.json is read from its file; another version or other content is refused."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from reported_search import report_of

import analysis
from analysis.report.quantities import Json
from analysis.report.reading import read_report, typed
from analysis.report.schema import SCHEMA_MINOR, SCHEMA_VERSION
from fer_tune.errors import ResultsError

EARLIER = Path(__file__).resolve().parents[2] / "earlier" / "report.json"


@pytest.fixture
def file(tmp_path: Path) -> Callable[[Json], Path]:
    def make(changes: Json) -> Path:
        path = tmp_path / "report.json"
        path.write_text(json.dumps({**report_of("whole"), **changes}), encoding="utf-8")
        return path

    return make


def test_a_report_is_read_from_its_file(file: Callable[[Json], Path]) -> None:
    assert analysis.read_report(file({})) == typed(report_of("whole"))


def test_of_a_later_minor_version_other_keys_are_left_out(file: Callable[[Json], Path]) -> None:
    later = copy.deepcopy(report_of("whole"))
    later["schema_minor"] = SCHEMA_MINOR + 1
    later["surplus"] = {"value": 1}
    later["arms"][0]["surplus"] = 1
    later["tuning"]["arms"][1]["random"]["surplus"] = []
    later["classes"]["classes"][0]["surplus"] = None
    found = read_report(file(later))
    assert found.arms == typed(report_of("whole")).arms and found.schema_minor == SCHEMA_MINOR + 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"schema_version": SCHEMA_VERSION - 1}, "Write it again from its results folder"),
        ({"schema_minor": SCHEMA_MINOR - 1}, f"reads version {SCHEMA_VERSION} from"),
        ({"schema_version": SCHEMA_VERSION + 1, "schema_minor": 0}, "Update fer-tune"),
        ({"schema_version": "2"}, "is not a report.json"),
        ({"schema_version": None}, "is not a report.json"),
        ({"surplus": 1}, "surplus"),
        ({"floors": None}, "floors must be a list"),
        ({"schema_minor": SCHEMA_MINOR + 1, "arms": None}, "arms must be a list"),
    ],
)
def test_another_version_or_content_is_refused(
    file: Callable[[Json], Path], changes: Json, words: str
) -> None:
    path = file(changes)
    with pytest.raises(ResultsError, match=words) as caught:
        read_report(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff", b"[" * 100_000, b"null"])
def test_what_is_no_report_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(content)
    with pytest.raises(ResultsError, match=r"not valid JSON|is not a report"):
        read_report(path)
    with pytest.raises(ResultsError, match="cannot be read"):
        read_report(tmp_path / "none.json")


def test_a_report_of_an_earlier_version_is_refused_with_the_remedy() -> None:
    with pytest.raises(ResultsError, match=r"has version 2\.0.*Write it again"):
        read_report(EARLIER)
