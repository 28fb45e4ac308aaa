"""The chapter on calibration: measures against plain sums, scikit-learn and SciPy; its words."""

from __future__ import annotations

import numpy as np
import pytest
from answered_search import answered, blocks_of, reported
from fake_search import Plan, write
from scipy import stats
from sklearn.metrics import log_loss

import analysis
from analysis.formats import points
from analysis.inputs.search import Search
from analysis.report.calibration.chapter import chapter
from analysis.report.calibration.section import section
from analysis.report.presentation.blocks import Chapter, Fold, Picture, Table
from analysis.report.quantities import Json


def _both(search: Search) -> tuple[Json, Chapter]:
    return reported(search, "calibration", section, chapter)


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> tuple[Search, Json, Chapter]:
    plan = Plan(replicates=3, seeds=2, trials=6, sharpness={"densenet161": 1.0, "resnet152": 4.0})
    search = analysis.load(write(tmp_path_factory.mktemp("results"), plan))
    return search, *_both(search)


def _plainly(p: np.ndarray, true: np.ndarray) -> dict[str, float]:
    """Every measure of one run, written out."""
    n, confidence, right = len(true), p.max(axis=1), p.argmax(axis=1) == true
    error = 0.0
    for low in np.arange(15) / 15:
        inside = (confidence > low) & (confidence <= low + 1 / 15)
        if inside.any():
            error += inside.sum() / n * abs(right[inside].mean() - confidence[inside].mean())
    return {
        "confidence": confidence.mean(),
        "accuracy": right.mean(),
        "excess": confidence.mean() - right.mean(),
        "calibration_error": error,
        "brier": sum(
            ((row - np.eye(p.shape[1])[t]) ** 2).sum() for row, t in zip(p, true, strict=True)
        )
        / n,
        "log_likelihood": log_loss(
            true, p / p.sum(axis=1, keepdims=True), labels=range(p.shape[1])
        ),
    }


def _by_study(search: Search, arm: str, clean: bool) -> dict[str, np.ndarray]:
    mine = search.predictions[search.predictions["arm"] == arm]
    if clean:
        mine = mine[~(mine["leaked"] | mine["conflicting"])]
    codes = {name: number for number, name in enumerate(search.classes)}
    rows: dict[int, list[dict[str, float]]] = {}
    for _, run in mine.groupby("trial"):
        p = np.stack(run["probabilities"].tolist()).astype(float)
        measured = _plainly(p, run["true_class"].map(codes).to_numpy())
        rows.setdefault(int(run["replicate"].iloc[0]), []).append(measured)
    keys = next(iter(rows.values()))[0]
    return {
        key: np.array([np.mean([one[key] for one in rows[study]]) for study in sorted(rows)])
        for key in keys
    }


@pytest.mark.parametrize("part", ["all", "clean"])
def test_measures_are_means_over_studies_with_t_intervals(
    studies: tuple[Search, Json, Chapter], part: str
) -> None:
    search, found, _ = studies
    for arm in found["arms"]:
        for key, values in _by_study(search, arm["arm"], part == "clean").items():
            told_of = arm[part][key]
            low, high = stats.t.interval(0.95, 2, values.mean(), stats.sem(values))
            assert told_of["value"] == pytest.approx(values.mean(), rel=1e-5, abs=1e-6), key
            assert told_of["high"] == pytest.approx(high, rel=1e-4, abs=1e-5), key
            if key == "excess" or low > 0:
                assert told_of["low"] == pytest.approx(low, rel=1e-4, abs=1e-5), key
            assert (told_of["n"], told_of["of"]) == (3, "studies")


def test_differences_are_welchs(studies: tuple[Search, Json, Chapter]) -> None:
    search, found, _ = studies
    (pair,) = found["pairs"]
    one, two = (_by_study(search, pair[name], clean=False) for name in ("first", "second"))
    for key in ("excess", "calibration_error", "brier", "log_likelihood"):
        interval = stats.ttest_ind(one[key], two[key], equal_var=False).confidence_interval(0.95)
        assert pair[key]["value"] == pytest.approx(one[key].mean() - two[key].mean(), abs=1e-6)
        assert pair[key]["low"] == pytest.approx(interval.low, rel=1e-3, abs=1e-5)
        assert pair[key]["high"] == pytest.approx(interval.high, rel=1e-3, abs=1e-5)


def test_bins_pool_all_runs(studies: tuple[Search, Json, Chapter]) -> None:
    search, found, _ = studies
    for arm in found["arms"]:
        bins = arm["reliability"]
        assert sum(bins["answers"]) == (search.predictions["arm"] == arm["arm"]).sum()
        assert len(bins["edges"]) == 16 and len(bins["answers"]) == 15
        filled = [number > 0 for number in bins["answers"]]
        assert [value is not None for value in bins["accuracy"]] == filled
        shares = [n * a for n, a in zip(bins["answers"], bins["accuracy"], strict=True) if n]
        right = (search.predictions["true_class"] == search.predictions["predicted_class"])[
            search.predictions["arm"] == arm["arm"]
        ]
        assert sum(shares) == pytest.approx(right.sum())


def test_floors_stand_beside_the_arms(studies: tuple[Search, Json, Chapter]) -> None:
    search, found, made = studies
    assert [floor["floor"] for floor in found["floors"]] == ["majority", "logistic_regression"]
    first = search.floors[search.floors["arm"] == "majority"]
    p = np.stack(first["probabilities"].tolist()).astype(float)
    codes = {name: number for number, name in enumerate(search.classes)}
    plain = _plainly(p, first["true_class"].map(codes).to_numpy())
    assert found["floors"][0]["all"]["brier"]["value"] == pytest.approx(plain["brier"], rel=1e-5)
    table = next(b for b in blocks_of(made) if isinstance(b, Table) and b.name == "calibration-all")
    assert [row.cells[0].main.text for row in table.rows] == [
        "densenet161", "resnet152", "floor: majority class",
        "floor: logistic regression on pixels",
    ]  # fmt: skip


def _arm(confidence: float, right: list[int], n: int = 20) -> list[list[list[float]]]:
    """Two classes, all of class 0; per run so many answers right, all of one confidence."""
    return [
        [[confidence, 1 - confidence]] * number + [[1 - confidence, confidence]] * (n - number)
        for number in right
    ]


def _search(*, spoilt: bool = False, **arms: list[list[list[float]]]) -> Search:
    flags = {"leaked": range(20)} if spoilt else None
    return answered([0] * 20, arms, classes=("happy", "sad"), flags=flags)


def test_over_and_under_confidence_in_words() -> None:
    found, made = _both(_search(bold=_arm(0.9, [11, 12, 13]), shy=_arm(0.6, [17, 18, 19])))
    assert found["arms"][0]["all"]["excess"]["value"] == pytest.approx(0.3)
    assert found["arms"][0]["all"]["calibration_error"]["value"] == pytest.approx(0.3)
    # Half of the runs' 0.9: (0.1^2 + 0.1^2) where right, (0.9^2 + 0.9^2) where wrong.
    assert found["arms"][0]["all"]["brier"]["value"] == pytest.approx(0.6 * 0.02 + 0.4 * 1.62)
    assert made.lead == (
        "bold is over-confident: it has a mean confidence of 90.0 % and an accuracy of 60.0 %; "
        "shy is under-confident: it has a mean confidence of 60.0 % and an accuracy of 90.0 %."
    )


def test_neither_and_the_lower_calibration_error_in_words() -> None:
    found, made = _both(_search(honest=_arm(0.8, [15, 16, 17]), bold=_arm(0.9, [7, 8, 9])))
    (pair,) = found["pairs"]
    gap = 100 * abs(pair["calibration_error"]["value"])
    half = stats.t.ppf(0.975, 2) * np.std([0.75, 0.8, 0.85], ddof=1) / np.sqrt(3)
    assert made.lead == (
        "honest is not significantly over- or under-confident: it has a mean confidence of 80.0 % "
        "and an accuracy of 80.0 % (95 % interval of the excess "
        f"{points(-half, sign=True)} to {points(half, sign=True)} points); "
        "bold is over-confident: it has a mean confidence of 90.0 % and an accuracy of 40.0 %; "
        f"the calibration error of honest is {gap:.1f} points below that of bold."
    )


def test_more_arms_are_grouped_and_a_single_run_has_no_verdict() -> None:
    bold = {name: _arm(p, [11, 12, 13]) for name, p in (("a", 0.9), ("b", 0.8))}
    found, made = _both(_search(**bold, c=_arm(0.51, [11, 12, 13]), d=_arm(0.51, [17, 18, 19])))
    assert [(pair["first"], pair["second"]) for pair in found["pairs"]] == [("d", "a")]
    assert made.lead == (
        "Confidence minus accuracy in points, by arm: over-confident: a (+30.0), b (+20.0); "
        "not significantly over- or under-confident: c (\N{MINUS SIGN}9.0); "
        "under-confident: d (\N{MINUS SIGN}39.0)."
    )
    found, made = _both(_search(once=_arm(0.9, [12])))
    assert found["arms"][0]["all"]["brier"]["low"] is None and found["pairs"] == []
    assert made.lead == (
        "once has a mean confidence of 90.0 % and an accuracy of 60.0 % (a single run, so there is "
        "no interval)."
    )


def test_runs_without_spread_have_no_verdict_either() -> None:
    assert _both(_search(same=_arm(0.9, [12, 12, 12])))[1].lead == (
        "same has a mean confidence of 90.0 % and an accuracy of 60.0 % (no variation over seeds, "
        "so there is no interval)."
    )


def test_clean_pictures_have_a_table_where_there_are_any() -> None:
    def folds(search: Search) -> list[str]:
        return [b.blocks[0].name for b in blocks_of(_both(search)[1]) if isinstance(b, Fold)]  # type: ignore[union-attr]

    assert folds(_search(one=_arm(0.9, [12, 13]))) == ["calibration-clean"]
    assert folds(_search(one=_arm(0.9, [12, 13]), spoilt=True)) == []


def test_nothing_to_say_before_any_confirmation() -> None:
    found, made = _both(answered([], {}))
    assert found["arms"] == found["floors"] == found["pairs"] == []
    assert made.blocks == () and made.lead.startswith("No calibration yet")


@pytest.mark.parametrize("arms", [1, 2, 3, 6])
def test_one_panel_per_arm(arms: int) -> None:
    search = _search(**{f"arm{i}": _arm(0.9 - 0.02 * i, [11, 12, 13]) for i in range(arms)})
    _, made = _both(search)
    (figure,) = (block for block in blocks_of(made) if isinstance(block, Picture))
    assert [f"arm{i} (3 runs)" in figure.drawing.svg for i in range(6)] == [
        i < arms for i in range(6)
    ]
    assert {row.cells[0].main.text for row in figure.data.rows} == {f"arm{i}" for i in range(arms)}
