"""The precision of a search is chosen once and recorded."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from fer_tune.records import Results
from fer_tune.training.device.precision import PrecisionChoice
from fer_tune.tuning import precision as module
from fer_tune.tuning.precision import search_precision
from tests.tuning.conftest import make_space


@pytest.fixture
def results(tmp_path: Path) -> Results:
    found = Results(tmp_path)
    found.write_manifest({"state": "running"})
    return found


def found(results: Results, *, resumed: bool, precision: str = "auto") -> str:
    space = make_space(precision=precision)
    return search_precision(space, results, Console(quiet=True), resumed=resumed, joined=False)


def test_it_is_recorded_and_a_resume_on_another_processor_uses_it(
    results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    choice = PrecisionChoice(precision="bfloat16", reason="it is faster", seconds={"float32": 2.0})
    monkeypatch.setattr(module, "choose_precision", lambda *args, **more: choice)
    assert found(results, resumed=False) == "bfloat16"
    assert results.manifest()["precision"] == {
        "chosen": "bfloat16",
        "reason": "it is faster",
        "seconds": {"float32": 2.0},
    }
    other = PrecisionChoice(precision="float32", reason="no bfloat16")
    monkeypatch.setattr(module, "choose_precision", lambda *args, **more: other)
    assert found(results, resumed=True) == "bfloat16"
    assert found(results, resumed=False) == "bfloat16"  # killed before its first session began


def test_a_search_without_a_record_is_older_and_goes_on_as_it_began(results: Results) -> None:
    assert found(results, resumed=True) == "auto"
    assert results.manifest().get("precision") is None


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_precision_that_the_user_names_is_kept(results: Results, precision: str) -> None:
    assert found(results, resumed=False, precision=precision) == precision
    assert results.manifest().get("precision") is None
