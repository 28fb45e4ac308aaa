"""Single test pictures for report.json: selection, predictions, thumbnails."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain, zip_longest

import numpy as np

from analysis.estimators.estimate import Floats
from analysis.inputs.pictures import Answers, Bools, Ints
from analysis.report.evidence import Evidence
from analysis.report.quantities import Json


@dataclass(frozen=True, kw_only=True)
class MeanAnswers:
    """An arm's predictions by mean probability over its runs: classes (n,), confidence (n,).

    The confidence is the mean probability of the predicted class.
    """

    classes: Ints
    confidence: Floats


def mean_answers(given: Answers) -> MeanAnswers:
    """One prediction per picture from those of all runs."""
    mean = given.probabilities.mean(axis=0)
    return MeanAnswers(classes=mean.argmax(axis=1), confidence=mean.max(axis=1))


def most_confident(given: Answers, confidence: Floats, chosen: Bools) -> list[int]:
    """Places in (n,) where ``chosen``, highest confidence first, without copies of earlier ones.

    Copies with another label stay.
    """
    order = np.argsort(-confidence, kind="stable")
    places = order[chosen[order]].tolist()
    seen = {(given.pictures[place], given.true[place]): place for place in reversed(places)}
    return [place for place in places if seen[given.pictures[place], given.true[place]] == place]


def alternated(one: list[int], two: list[int]) -> list[int]:
    """Places of both alternately, the rest of the longer one at the end."""
    return [place for place in chain(*zip_longest(one, two)) if place is not None]


def tiles(evidence: Evidence, shown: Mapping[str, Answers], places: list[int]) -> list[Json]:
    """An entry per place: position, flags, classes, predictions of the arms ``shown``, thumbnail.

    ``png`` is base64; null where there is no thumbnail or the settings exclude pictures.
    """
    names = evidence.search.classes
    given = next(iter(shown.values()))
    answers = {arm: mean_answers(one) for arm, one in shown.items()}
    pngs = _thumbnails(evidence, {given.pictures[place] for place in places})
    return [
        {
            "position": int(given.positions[place]),
            "true": names[given.true[place]],
            "unit": "mean probability over runs",
            "answers": [
                {
                    "arm": arm,
                    "class": names[mine.classes[place]],
                    "right": bool(mine.classes[place] == given.true[place]),
                    "probability": float(mine.confidence[place]),
                }
                for arm, mine in answers.items()
            ],
            "leaked": bool(given.leaked[place]),
            "conflicting": bool(given.conflicting[place]),
            "blank": bool(given.blank[place]),
            "png": pngs.get(given.pictures[place]),
        }
        for place in places
    ]


def _thumbnails(evidence: Evidence, wanted: set[str]) -> dict[str, str]:
    if not evidence.settings.gallery:
        return {}
    table = evidence.search.thumbnails
    table = table[table["picture"].isin(wanted) & table["png"].notna()]
    return {
        picture: base64.b64encode(png).decode("ascii")
        for picture, png in zip(table["picture"], table["png"], strict=True)
    }
