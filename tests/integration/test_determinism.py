"""What is promised of the same command on the same machine: ``docs/determinism.md``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis import write_report
from benchmarks.killing.snapshots import timeless_report
from fer_tune.data import PackedDataset
from fer_tune.records import Results
from tests.integration.here import fer_tune_here
from tests.integration.tiny import SPACE, TIMES

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def one_and_two(faces: PackedDataset, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The same random search with one and with two trials in parallel."""
    home = tmp_path_factory.mktemp("parallel")
    (home / "tiny.yaml").write_text(SPACE)
    found = []
    for parallel in (1, 2):
        done = fer_tune_here(
            *("search", str(home / "tiny.yaml"), "--data", str(faces.root), "--cpus", "2"),
            *("--results", str(home / f"p{parallel}"), "--no-dashboard", "--quiet"),
            *("--set", f"resources.max_concurrent={parallel}", "--set", "cohorts.random=1.0"),
            *("--set", "scheduler.kind=none", "--set", "confirm.seeds=0"),
            FER_TUNE_BANK=str(home / "bank"),
        )
        assert done.code == 0, done
        found.append(Results(home / f"p{parallel}"))
    return found


def test_a_configuration_has_the_same_curve_alone_and_beside_another(one_and_two: Any) -> None:
    for table in ("trials", "epochs", "confusion"):
        one, two = (r.read(table).drop(columns=TIMES, errors="ignore") for r in one_and_two)
        assert len(one) > 0
        pd.testing.assert_frame_equal(one, two, check_exact=True)


def test_the_same_records_give_the_same_bytes(one_and_two: Any, tmp_path: Path) -> None:
    written = [write_report(one_and_two[0].root, tmp_path / name) for name in ("a", "b")]
    for kind in ("html", "json", "markdown"):
        one, two = (getattr(files, kind).read_bytes() for files in written)
        assert len(one) > 1000 and one == two


def test_the_reports_of_two_runs_differ_in_times_alone(one_and_two: Any) -> None:
    one, two = (_lines(timeless_report(results)) for results in one_and_two)
    assert len(one) > 1000 and one == two


def _lines(report: dict[str, Any]) -> list[str]:
    """A line per number, without the setting in which the two searches differ."""
    lines = json.dumps(report, indent=1).splitlines()
    return [line for line in lines if "max_concurrent" not in line]
