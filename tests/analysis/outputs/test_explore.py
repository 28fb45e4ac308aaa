"""explore.html: one file that loads nothing, the same bytes every time."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fake_search import Plan, write
from plotly.offline import get_plotlyjs
from trained_search import PLANS, planned

import analysis
from analysis.outputs import explore, explore_plots
from analysis.outputs.explore import write_explore
from fer_tune.errors import ResultsError

_PLAN = Plan(trials=30, replicates=2, seeds=2, random_share=0.3, confirmed=False)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("results"), _PLAN)


@pytest.fixture(scope="module")
def page(results: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("out") / "explore.html"
    assert write_explore(analysis.load(results), path) == path
    return path.read_text(encoding="utf-8")


def _figures(page: str) -> dict[str, Any]:
    """The figures by their headings, arm by arm."""
    found = {}
    parts = re.split(r'<h2 id="part-\d+">', page)[1:]
    for part in parts:
        arm = part[: part.index("<")]
        for title, data in re.findall(
            r'<h3 id="[^"]*">([^<]*)</h3>.*?<script type="application/json"[^>]*>(.*?)</script>',
            part,
            flags=re.DOTALL,
        ):
            found[f"{arm}: {title}"] = json.loads(data)
    return found


def test_every_plot_of_every_arm_is_there(page: str) -> None:
    figures = _figures(page)
    titles = (
        "Optimisation history",
        "Hyperparameter importance",
        "Slice plot",
        "Contour of the two most important hyperparameters",
        "Parallel coordinates",
        "Intermediate values",
        "Timeline",
    )
    omitted = re.findall(r"<p>([^<:]*) omitted: ", page)
    assert set(omitted) <= {"Hyperparameter importance"}
    wanted = {f"{arm}: {title}" for arm in _PLAN.arms for title in titles if title not in omitted}
    assert wanted <= set(figures)
    assert {"All arms: Parallel coordinates", "All arms: Distribution"} <= set(figures)


def test_all_trials_with_a_score_are_lines(page: str, results: Path) -> None:
    search = analysis.load(results)
    scored = search.trials["best_val_macro_f1"].notna().sum()
    lines = _figures(page)["All arms: Parallel coordinates"]["data"][0]
    labels = [axis["label"] for axis in lines["dimensions"]]
    assert labels[0] == "arm" and labels[-2:] == ["state", "macro-F1"] and "lr head" in labels
    assert all(len(axis["values"]) == scored for axis in lines["dimensions"])
    rate = lines["dimensions"][labels.index("lr head")]
    assert set(rate["ticktext"]) >= {"0.0001", "0.001", "0.01"}


def test_a_value_that_has_no_logarithm_leaves_a_gap() -> None:
    """One arm samples a rate on a log scale, in another it is fixed at 0."""
    rate = {"type": "float", "low": 1e-4, "high": 1e-2, "log": True}
    axis = explore_plots._axis("rate", rate, pd.Series([1e-3, 0.0, 2e-2]))
    assert axis["values"] == pytest.approx([-3, float("nan"), np.log10(2e-2)], nan_ok=True)
    assert axis["tickvals"] == [-3, -2, -1] and axis["ticktext"] == ["0.001", "0.01", "0.1"]
    assert explore_plots._axis("rate", rate, pd.Series([0.0]))["tickvals"] == []


def test_the_script_is_embedded_once_and_nothing_is_loaded(page: str) -> None:
    script = get_plotlyjs()
    assert page.count(script) == 1
    rest = page.replace(script, "")
    assert not re.findall(r"(?:src|href)=(?!\"#)", rest) and "https://" not in rest
    assert "@import" not in rest and "url(" not in rest


def test_the_dark_is_for_screens_that_ask_for_it(page: str) -> None:
    """Elsewhere, and so on paper, plots keep their own colours."""
    style = page[page.index("<style>") : page.index("</style>")]
    light, dark = style.split("@media screen and (prefers-color-scheme: dark)")
    assert "filter: invert" in dark and "background" in dark
    assert "filter" not in light and "color-scheme: dark" not in light


def test_a_name_cannot_break_out_of_the_page(tmp_path: Path) -> None:
    evil = "</script><script>alert(1)</script>"
    folder = write(tmp_path / "results", Plan(trials=4, confirmed=False), name=evil)
    path = write_explore(analysis.load(folder), tmp_path / "explore.html")
    assert path is not None and "<script>alert" not in path.read_text(encoding="utf-8")


def test_a_value_cannot_end_the_data(page: str) -> None:
    plot = explore_plots.Plot(title="x", words="y", json='["</script>"]', height=1)
    element = explore._figure("plot-0-0", plot)
    assert element.count("</script>") == 1 and json.loads('["<\\/script>"]') == ["</script>"]


def test_the_same_records_give_the_same_bytes(results: Path, tmp_path: Path, page: str) -> None:
    """Also in another process, where sets are in another order."""
    code = (
        "import sys, analysis; from pathlib import Path;"
        "from analysis.outputs.explore import write_explore;"
        "write_explore(analysis.load(sys.argv[1]), Path(sys.argv[2]))"
    )
    out = tmp_path / "again.html"
    environment = {**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"}
    subprocess.run(
        [sys.executable, "-c", code, str(results), str(out)], check=True, env=environment
    )
    assert out.read_text(encoding="utf-8") == page


def test_without_plotly_nothing_is_written(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explore, "find_spec", lambda name: None)
    assert write_explore(analysis.load(results), tmp_path / "explore.html") is None
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_the_users_fault(results: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ResultsError, match="cannot be written"):
        write_explore(analysis.load(results), tmp_path / "file" / "explore.html")


@pytest.mark.parametrize("name", PLANS)
def test_every_search_can_be_explored(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    search = planned(name)
    written = write_explore(search, tmp_path / "explore.html")
    assert (written is None) == search.trials.empty
    # Optuna complains in its log about plots that it cannot draw.
    assert capfd.readouterr() == ("", "")


def test_plots_that_would_choke_are_left_out_and_said(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explore_plots, "_MOST_SPANS", 20)
    monkeypatch.setattr(explore_plots, "_MOST_CURVES", 5)
    path = write_explore(analysis.load(results), tmp_path / "explore.html")
    assert path is not None
    page = path.read_text(encoding="utf-8")
    assert "Timeline omitted: 30 trials are too many for a bar each." in page
    curves = _figures(page)["densenet161: Intermediate values"]["data"]
    assert len(curves) == 5
    bests = sorted((max(_numbers(curve["y"])) for curve in curves), reverse=True)
    epochs = analysis.load(results).epochs
    mine = epochs[epochs["arm"] == "densenet161"].groupby("trial")["val_macro_f1"].max()
    assert bests == pytest.approx(sorted(mine, reverse=True)[:5])


def _numbers(values: Any) -> list[float]:
    assert isinstance(values, list), "Optuna passes lists"
    return [float(value) for value in values]
