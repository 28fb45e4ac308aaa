"""The chapter on classes: scores against scikit-learn, differences against SciPy, and its words."""

from __future__ import annotations

from dataclasses import dataclass

import matplotlib
import numpy as np
import pytest
from answered_search import answered, blocks_of, reported
from fake_search import Plan, write
from matplotlib.colors import to_rgb
from scipy import stats
from sklearn.metrics import precision_recall_fscore_support

import analysis
from analysis.inputs.search import Search
from analysis.report.classes.chapter import chapter
from analysis.report.classes.matrices import DIVERGING, ink_on
from analysis.report.classes.section import section
from analysis.report.presentation.blocks import Chapter, Picture, Table
from analysis.report.quantities import Json

THREE = {"densenet161": 0.66, "resnet152": 0.62, "resnet50": 0.6}
SIX = {f"resnet{depth}": 0.5 for depth in (18, 34, 50)} | {
    "densenet121": 0.6,
    "densenet161": 0.7,
    "densenet169": 0.55,
}
PLANS = {
    "seeds": Plan(),
    "studies": Plan(replicates=3, seeds=2, trials=12),
    "three": Plan(skill=THREE, trials=3),
    "six": Plan(skill=SIX, trials=2, seeds=2, study_spread=0.0, seed_spread=0.001),
    "single": Plan(skill={"resnet50": 0.6}, trials=3),
    "one seed": Plan(trials=3, seeds=1),
    "unconfirmed": Plan(trials=3, confirmed=False, floors=False),
}


def _both(search: Search) -> tuple[Json, Chapter]:
    return reported(search, "classes", section, chapter)


@dataclass(frozen=True)
class Made:
    """A search with its section and its chapter."""

    search: Search
    section: Json
    chapter: Chapter


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Made]:
    def one(plan: Plan) -> Made:
        search = analysis.load(write(tmp_path_factory.mktemp("results"), plan))
        return Made(search, *_both(search))

    return {name: one(plan) for name, plan in PLANS.items()}


def _by_scikit(search: Search, arm: str) -> dict[str, np.ndarray]:
    """Per measure (u, C), the mean over each unit's runs."""
    mine = search.predictions[search.predictions["arm"] == arm]
    rows: dict[int, list[np.ndarray]] = {}
    for _, run in mine.groupby("trial"):
        scores = precision_recall_fscore_support(
            run["true_class"], run["predicted_class"], labels=search.classes, zero_division=0
        )
        unit = run["replicate" if search.unit == "study" else "seed"].iloc[0]
        rows.setdefault(int(unit), []).append(np.array(scores[:3]))
    table = np.stack([np.mean(rows[unit], axis=0) for unit in sorted(rows)])
    return {"precision": table[:, 0], "recall": table[:, 1], "f1": table[:, 2]}


@pytest.mark.parametrize("name", ["seeds", "studies"])
def test_scores_are_those_of_scikit_learn_over_units(made: dict[str, Made], name: str) -> None:
    search, found = made[name].search, made[name].section
    for arm in found["arms"]:
        values = _by_scikit(search, arm["arm"])
        for key, table in values.items():
            for place, row in enumerate(arm["classes"]):
                low, high = stats.t.interval(
                    0.95, len(table) - 1, table[:, place].mean(), stats.sem(table[:, place])
                )
                assert row[key]["value"] == pytest.approx(table[:, place].mean())
                assert row[key]["low"] == pytest.approx(max(low, 0))
                assert row[key]["high"] == pytest.approx(min(high, 1))
                assert row[key]["n"] == len(table)
                assert row[key]["of"] == ("seeds" if name == "seeds" else "studies")


@pytest.mark.parametrize("name", ["seeds", "three"])
def test_differences_are_welchs_with_holm_over_classes_and_pairs(
    made: dict[str, Made], name: str
) -> None:
    search, found = made[name].search, made[name].section
    pairs, classes = found["pairs"], len(search.classes)
    for key in ("f1", "recall"):
        units = {arm: _by_scikit(search, arm)[key] for arm in search.arms}
        raw, adjusted = [], []
        for pair in pairs:
            test = stats.ttest_ind(units[pair["first"]], units[pair["second"]], equal_var=False)
            raw += test.pvalue.tolist()
            adjusted += [row[f"{key}_p_holm"]["value"] for row in pair["classes"]]
            level = 1 - 0.05 / (classes * len(pairs))
            interval = test.confidence_interval(level)
            for place, row in enumerate(pair["classes"]):
                assert row[key]["level"] == pytest.approx(level)
                assert row[key]["low"] == pytest.approx(max(interval.low[place], -1))
                assert row[key]["high"] == pytest.approx(min(interval.high[place], 1))
        order = np.argsort(raw)
        steps = [(len(raw) - rank) * raw[i] for rank, i in enumerate(order)]
        wanted = np.minimum(np.maximum.accumulate(steps), 1)
        assert np.array(adjusted)[order] == pytest.approx(wanted)
        said = [key in row["found"] for pair in pairs for row in pair["classes"]]
        assert said == [p < 0.05 for p in adjusted]


def test_confusion_counts_add_up(made: dict[str, Made]) -> None:
    found = made["seeds"].section
    support = [row["test_pictures"] for row in found["classes"]]
    assert sum(support) == PLANS["seeds"].pictures
    for arm in found["arms"]:
        counts = np.array(arm["confusion"]["counts"])
        assert counts.sum(axis=1).tolist() == [arm["runs"] * n for n in support]
        assert np.array(arm["confusion"]["shares"]).sum(axis=1) == pytest.approx(1)
        wrong = counts - np.diag(np.diag(counts))
        told_of = [row["answers"] for row in arm["confusions"]]
        assert told_of == sorted(wrong.ravel().tolist(), reverse=True)[:3]
    (pair,) = found["pairs"]
    recalls = [row["recall"]["value"] for row in pair["classes"]]
    assert np.diag(pair["share_differences"]["values"]) == pytest.approx(recalls)


def _sharp(answers: list[list[int]], classes: int = 3) -> np.ndarray:
    return 0.9 * np.eye(classes)[np.array(answers)] + 0.1 / classes


TRUE = [0] * 20 + [1] * 20 + [2] * 20


def _answers(errors: dict[tuple[int, int], int], run: int) -> list[int]:
    """The truth but for as many errors per (true, answered), and one more of the first each run."""
    found = list(TRUE)
    for number, ((true, answered_as), count) in enumerate(errors.items()):
        first = 20 * true
        for place in range(first, first + count + (run % 2 if number == 0 else 0)):
            found[place] = answered_as
    return found


def test_the_class_that_differs_is_named_and_its_confusion_told() -> None:
    good = _sharp([_answers({(0, 2): 2}, run) for run in range(5)])
    bad = _sharp([_answers({(0, 2): 2, (1, 2): 9}, run) for run in range(5)])
    # Recall of happy: 1 against 11/20 in every run. F1: 1 against 22/31, whatever else is wrong.
    found, shown = _both(answered(TRUE, {"bad": bad, "good": good}))
    (pair,) = found["pairs"]
    assert (pair["first"], pair["second"]) == ("good", "bad")
    happy = pair["classes"][1]
    assert happy["f1"]["value"] == pytest.approx(1 - 22 / 31)
    # Without any spread a difference cannot be tested, and none is claimed.
    assert happy["f1_p_holm"]["value"] is None and happy["found"] == []
    sad = pair["classes"][2]
    assert sad["found"] == ["f1"] and pair["classes"][0]["found"] == []
    gap = 100 * sad["f1"]["value"]
    assert shown.lead == (
        f"good has the higher F1 in sad (by {gap:.1f} points); "
        "no significant difference in the other 2 classes."
    )
    assert found["arms"][0]["confusions"][0] == {
        "true": "happy",
        "answered": "sad",
        "unit": "predictions, summed over runs",
        "answers": 45,
        "of": 100,
        "share": 0.45,
    }
    words = [item for block in blocks_of(shown) for item in getattr(block, "items", ())]
    assert words[0].startswith(
        "bad most often classifies happy as sad (45 of 100 predictions, 45 %), "
    )


def test_identical_arms_are_not_told_apart() -> None:
    same = _sharp([_answers({(0, 2): 2}, run) for run in range(5)])
    _, shown = _both(answered(TRUE, {"one": same, "two": same}))
    assert shown.lead.startswith("F1 differs significantly in none of the 3 classes")


def test_which_pairs_are_compared(made: dict[str, Made]) -> None:
    pairs = {
        name: [(pair["first"], pair["second"]) for pair in one.section["pairs"]]
        for name, one in made.items()
    }
    assert {name: len(found) for name, found in pairs.items()} == {
        "seeds": 1, "studies": 1, "three": 3, "six": 1, "single": 0, "one seed": 1,
        "unconfirmed": 0,
    }  # fmt: skip
    assert pairs["six"] == [("densenet161", "densenet121")]
    assert "(the two best arms; 4 others not compared)" in made["six"].chapter.lead


@pytest.mark.parametrize("name", PLANS)
def test_every_stage_is_told(made: dict[str, Made], name: str) -> None:
    lead, blocks = made[name].chapter.lead, blocks_of(made[name].chapter)
    assert lead.endswith(".") and not lead.endswith("..")
    figures = [block for block in blocks if isinstance(block, Picture)]
    tables = [block.name for block in blocks if isinstance(block, Table)]
    if name == "unconfirmed":
        assert blocks == [] and lead.startswith("No results by class yet")
        return
    assert tables == ["classes-recall", "classes-precision"]
    assert len(figures) == (4 if made[name].section["pairs"] else 2)
    names = [figure.drawing.name for figure in figures] + [figure.data.name for figure in figures]
    assert len({*names, *tables}) == len(names) + len(tables)
    assert all(one.startswith("classes-") for one in names)


def test_single_runs_and_single_arms_say_what_they_cannot(made: dict[str, Made]) -> None:
    one_seed, single = made["one seed"], made["single"]
    assert one_seed.chapter.lead.endswith("single runs allow no significance test.")
    assert all(row["f1"]["low"] is None for row in one_seed.section["arms"][0]["classes"])
    best = max(single.section["arms"][0]["classes"], key=lambda row: row["f1"]["value"])
    said = f"resnet50 recognises {best['class']} best (F1 {best['f1']['value']:.3f})"
    assert said in single.chapter.lead


@pytest.mark.parametrize("colours", [matplotlib.colormaps["Blues"], DIVERGING])
def test_text_in_cells_stands_out(colours: matplotlib.colors.Colormap) -> None:
    def luminance(colour: object) -> float:
        linear = [
            c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)
        ]
        return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))

    for shade in np.linspace(0, 1, 101):
        ground = luminance(colours(shade))
        text = luminance(ink_on(colours(shade)))
        contrast = (max(ground, text) + 0.05) / (min(ground, text) + 0.05)
        assert contrast >= 4.5, shade


def test_the_same_records_are_drawn_the_same(made: dict[str, Made]) -> None:
    def svgs(chapter: Chapter) -> list[str]:
        return [b.drawing.svg for b in blocks_of(chapter) if isinstance(b, Picture)]

    _, again = _both(made["seeds"].search)
    assert svgs(again) == svgs(made["seeds"].chapter)
