"""Each shipped search space says what it gave, or that it has not been run and what is planned."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fer_tune.space import SearchSpace, load, plan, shipped

FILES = shipped()
#: A score, and the same with its interval; where arms have none, their difference has one.
_SCORE = r"0\.\d{3}"
_INTERVAL = rf"({_SCORE}) \[({_SCORE}), ({_SCORE})\]"
_DIFFERENCE = r"[+-]\d+\.\d points \[[+-]\d+\.\d, [+-]\d+\.\d\]"


def stated(text: str) -> str:
    """What follows ``# Gives:`` in the comment that a file opens with, as one line."""
    found = re.search(r"^# Gives: +(.*\n(?:#(?! \w[\w ]*: ).*\n)*)", text, re.MULTILINE)
    return " ".join(found[1].replace("#", "").split()) if found else ""


def lacks(words: str, space: SearchSpace) -> list[str]:
    """What is missing of the statement on ``space``."""
    if "not run as shipped yet" in words:
        planned = plan(space)
        wanted = {
            "reason": r"not run as shipped yet: it needs \w+",
            "plan": rf"--dry-run: {planned.trials} trials, about {planned.expected_epochs:,} "
            rf"epochs of at most {planned.worst_epochs:,}, then {planned.confirm_runs} "
            rf"confirmation runs of at most {planned.confirm_epochs} epochs",
        }
    else:
        arms = space.compare.arms
        whole = _INTERVAL if re.search(rf"\b{next(iter(arms))} {_INTERVAL}", words) else _SCORE
        wanted = {
            **{f"score of {arm}": rf"\b{arm} {whole}" for arm in arms},
            "an interval": rf"{_INTERVAL}|{_DIFFERENCE}",
            "verdict": r"\. (better|small|inconclusive|not comparable),",
            "spread": r"95 % intervals? over \d+ (seeds|studies)",
            "time": r"Took \d+ min",
            "machine": r"on \d+ (cores|GPUs?) \(",
            "date": r", 20\d\d-\d\d-\d\d, ",
            "command": rf", by (the commands above|`(make|fer-tune search) {space.name}\b)",
        }
    return [what for what, pattern in wanted.items() if not re.search(pattern, words)]


@pytest.mark.parametrize("name", FILES)
def test_a_file_says_what_it_gives(name: str) -> None:
    assert lacks(stated(FILES[name].read_text(encoding="utf-8")), load(name)) == []


@pytest.mark.parametrize("name", FILES)
def test_intervals_hold_their_scores(name: str) -> None:
    words = stated(FILES[name].read_text(encoding="utf-8"))
    for score, low, high in re.findall(_INTERVAL, words):
        assert float(low) < float(score) < float(high)


def test_what_is_missing_is_seen(tmp_path: Path) -> None:
    space = load("quickstart")
    whole = stated(FILES["quickstart"].read_text(encoding="utf-8"))
    assert lacks(whole.replace("resnet152 0.367 [0.341, 0.393]", "resnet152 0.367"), space) == [
        "score of resnet152"
    ]
    assert "an interval" in lacks("", space)
    assert lacks("", space)[-4:] == ["time", "machine", "date", "command"]
    other = "not run as shipped yet: it needs time. Planned by --dry-run: 5 trials"
    assert lacks(other, space) == ["plan"]
    assert stated("# Gives:  one\n# two.\n# Without a GPU:  three\n") == "one two."
