"""The chapter on disagreements: who is right how often, which pictures are shown, and when none."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from answered_search import answered, blocks_of, reported
from fake_search import Plan, write
from report_reading import Page, parse, read
from scipy.stats import binomtest

import analysis
from analysis.inputs.search import Search
from analysis.report.disagreements.chapter import chapter
from analysis.report.disagreements.section import APART, SUSPECTS, section
from analysis.report.document import build
from analysis.report.presentation.blocks import Chapter, Gallery, Table
from analysis.report.presentation.render import Content, render_html
from analysis.report.quantities import Json
from analysis.report.reading import typed
from analysis.settings import Settings

#: Classes by number: 0 angry, 1 happy, 2 sad.
TRUE = [0, 0, 1, 1, 2, 2]


def _both(search: Search, settings: Settings | None = None) -> tuple[Json, Chapter]:
    return reported(search, "disagreements", section, chapter, settings)


def _row(answer: int, probability: float) -> list[float]:
    row = [(1 - probability) / 2] * 3
    row[answer] = probability
    return row


def _run(answers: Sequence[tuple[int, float]]) -> list[list[float]]:
    return [_row(*one) for one in answers]


#: One is right on pictures 0 to 3, two on 0, 1, 4 and, by its mean alone, on 2.
ONE = [[(0, 0.9), (0, 0.8), (1, 0.7), (1, 0.6), (0, 0.95), (1, 0.9)]] * 2
TWO = [
    [(0, 0.9), (0, 0.8), (2, 0.5), (2, 0.8), (2, 0.7), (1, 0.8)],
    [(0, 0.9), (0, 0.8), (1, 0.9), (2, 0.7), (2, 0.7), (1, 0.7)],
]


def _two_arms(**more: object) -> Search:
    arms = {"one": [_run(r) for r in ONE], "two": [_run(r) for r in TWO]}
    return answered(TRUE, arms, **more)  # type: ignore[arg-type]


def test_counts_are_those_of_the_mean_probability() -> None:
    found, made = _both(_two_arms(flags={"leaked": [0], "conflicting": [5]}))
    # Run by run "two" is right on picture 2 once; by its mean probability it is right.
    whole = found["agreement"]["all"]
    assert [arm["arm"] for arm in found["arms"]] == ["two", "one"]
    assert whole["n"] == 6
    assert whole["pictures"] == {
        "both": 3, "first": 1, "second": 1, "neither": 1, "same_error": 1, "either": 5,
    }  # fmt: skip
    clean = found["agreement"]["clean"]
    assert clean["n"] == 4 and clean["pictures"]["both"] == 2
    assert clean["pictures"]["neither"] == 0
    exact = binomtest(3, 6).proportion_ci(method="exact")
    assert whole["shares"]["both"]["low"] == pytest.approx(exact.low)
    assert whole["shares"]["both"]["high"] == pytest.approx(exact.high)
    assert made.lead == (
        "Both are correct on 50 % of the 6 test pictures and neither on 17 %; on the other 2 only "
        "one is correct, two on 1 and one on 1."
    )


def test_tiles_tell_what_each_arm_answers() -> None:
    found, _ = _both(_two_arms(flags={"leaked": [3]}))
    second, first = found["apart"]["pictures"]
    assert found["apart"]["found"] == 2
    assert (first["position"], first["true"]) == (104, "sad")
    assert first["answers"][1] == {
        "arm": "one",
        "class": "angry",
        "right": False,
        "probability": pytest.approx(0.95),
    }
    assert (second["position"], second["leaked"], first["leaked"]) == (103, True, False)
    assert second["answers"][0]["class"] == "sad"
    assert second["answers"][0]["probability"] == pytest.approx(0.75)


def test_arms_take_turns_at_being_wrong_and_copies_are_shown_once() -> None:
    n, rng = 80, np.random.default_rng(3)
    true = [0] * n
    sure = 0.5 + 0.49 * rng.random(n)
    sure[70:] = sure[0]
    wrong_one = np.arange(n) < 50
    one = [_row(1 if w else 0, p) for w, p in zip(wrong_one, sure, strict=True)]
    two = [_row(0 if w else 1, p) for w, p in zip(wrong_one, sure, strict=True)]
    hashes = [f"p{place}" for place in range(70)] + ["p69"] * 10
    found, _ = _both(answered(true, {"one": [one], "two": [two]}, pictures=hashes))
    shown = found["apart"]["pictures"]
    assert found["apart"]["found"] == 70
    assert len(shown) == APART
    # "two" has the higher score, so it stands first, and its errors come first.
    assert found["arms"][0]["arm"] == "two"
    wrong = [next(a for a in tile["answers"] if not a["right"]) for tile in shown]
    assert [a["arm"] for a in wrong] == ["two", "one"] * 12
    for arm in ("one", "two"):
        confidences = [a["probability"] for a in wrong if a["arm"] == arm]
        assert confidences == sorted(confidences, reverse=True)
        assert confidences[0] == pytest.approx(
            sure[wrong_one if arm == "one" else ~wrong_one].max(), abs=1e-6
        )
    assert len({tile["position"] for tile in shown}) == APART


def test_doubtful_labels_need_every_run_of_every_arm_and_confidence() -> None:
    true = [0] * 20
    sure, unsure = _row(1, 0.9), _row(1, 0.6)
    one = [sure] * 16 + [unsure] * 2 + [_row(0, 0.9)] * 2
    once_right = [_row(0, 0.34), *one[1:]]
    found, made = _both(
        answered(true, {"one": [one, once_right], "two": [one, one]}, flags={"conflicting": [1]})
    )
    part = found["suspects"]
    assert part["wrong_in_every_run"] == 17
    assert part["found"] == 15 and part["conflicting"] == 1
    assert len(part["pictures"]) == SUSPECTS
    assert 100 not in {tile["position"] for tile in part["pictures"]}
    words = " ".join(getattr(block, "words", "") for block in made.blocks)
    assert "wrong on 17 test pictures; on 15 of them" in words
    assert "The audit lists 1 of them as conflicting. 12 of 15 different pictures" in words


def test_the_leading_pair_stands_for_more_arms() -> None:
    worst = [_run([(2, 0.9)] * 4 + [(0, 0.9)] * 2)]
    search = answered(
        TRUE,
        {"worst": worst, "one": [_run(r) for r in ONE], "two": [_run(r) for r in TWO]},
    )
    found, _ = _both(search)
    assert [arm["arm"] for arm in found["arms"]] == ["two", "one"]
    assert found["others"] == ["worst"]
    # All arms: picture 5 alone is wrong in every run.
    assert found["suspects"]["wrong_in_every_run"] == 1
    (tile,) = found["suspects"]["pictures"]
    assert [answer["arm"] for answer in tile["answers"]] == ["two", "one", "worst"]


def test_a_single_arm_shows_its_most_confident_errors() -> None:
    found, made = _both(answered(TRUE, {"one": [_run(r) for r in ONE]}))
    assert found["agreement"] is found["apart"] is found["suspects"] is None
    assert found["errors"]["right"]["value"] == pytest.approx(4 / 6)
    assert [tile["position"] for tile in found["errors"]["pictures"]] == [104, 105]
    assert made.title == "Most confident errors"
    assert made.lead == (
        "one is the only arm: by the mean probability over its 2 runs it is correct on 67 % of the "
        "6 test pictures."
    )


def test_the_first_of_two_arms_to_be_confirmed_is_not_the_only_arm() -> None:
    search = answered(TRUE, {"one": [_run(r) for r in ONE]})
    _, made = _both(replace(search, arms=("one", "two")))
    assert made.lead.startswith("one is the only arm with test predictions: by the mean")


def test_arms_without_a_common_picture_and_searches_without_answers() -> None:
    search = _two_arms()
    apart = search.predictions
    apart.loc[apart["arm"] == "two", "position"] += 1000
    assert _both(search)[1].lead == (
        "The arms have no test pictures in common, so they cannot be compared."
    )
    _, made = _both(answered([], {}))
    assert made.blocks == () and made.lead.startswith("Nothing to compare yet")


def test_without_thumbnails_there_are_tables_only() -> None:
    _, made = _both(_two_arms())
    names = [block.name for block in blocks_of(made) if isinstance(block, Table)]
    assert names == ["disagreements-counts", "disagreements-apart", "disagreements-suspects"]
    assert not any(isinstance(block, Gallery) for block in blocks_of(made))


def test_tiles_show_the_thumbnails_that_there_are() -> None:
    search = _two_arms(thumbnails={"picture-4": b"\x89PNG four"})
    _, made = _both(search)
    (gallery,) = (block for block in blocks_of(made) if isinstance(block, Gallery))
    (tile,) = gallery.tiles
    assert base64.b64decode(tile.image.removeprefix("data:image/png;base64,")) == b"\x89PNG four"
    assert tile.alternative == "Test picture 104, labelled sad"
    assert tile.lines == (
        "labelled sad",
        "✓ two: sad\N{NO-BREAK SPACE}0.70",
        "✗ one: angry\N{NO-BREAK SPACE}0.95",
    )
    assert len(gallery.data.rows) == 2


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("results"), Plan(trials=3, seeds=2))


def test_the_page_shows_the_pictures_of_the_json(results: Path) -> None:
    search = analysis.load(results)
    report = json.loads(json.dumps(build(search)))
    made = chapter(typed(report))
    page = Page()
    page.feed(render_html(report, Content(opening=(), chapters=(made,))))
    parts = [report["disagreements"][name]["pictures"] for name in ("apart", "suspects")]
    pngs = [tile["png"] for part in parts for tile in part]
    assert pngs and set(pngs) <= {base64.b64encode(p).decode() for p in search.thumbnails["png"]}
    links = [link for link in page.links if link.startswith("data:")]
    assert links == [f"data:image/png;base64,{png}" for png in pngs]


def test_no_picture_leaves_the_house_without_the_gallery(results: Path, tmp_path: Path) -> None:
    paths = analysis.write_report(results, tmp_path, Settings(gallery=False))
    assert {"disagreements-apart", "disagreements-counts"} <= set(parse(paths).ids)
    pngs = [base64.b64encode(png).decode() for png in analysis.load(results).thumbnails["png"]]
    files = [path for path in tmp_path.rglob("*.*") if path.is_file()]
    assert {paths.html, paths.json, paths.markdown} < set(files)
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert not any(png in text for png in pngs), path
        # Plotly's own script holds icons.
        assert path == paths.explore or not ("data:image" in text or "<img" in text), path
    pictures = read(paths)["disagreements"]["apart"]["pictures"]
    assert pictures and all(tile["png"] is None for tile in pictures)
