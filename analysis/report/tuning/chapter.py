"""Tuning curves: the best of n random trials, TPE against random search, anytime performance."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from analysis import formats
from analysis.report.presentation.blocks import (
    Block,
    Bullets,
    Cell,
    Chapter,
    Heading,
    Table,
    Text,
    text,
)
from analysis.report.presentation.cursor import At
from analysis.report.presentation.tables import arms_table
from analysis.report.tuning.figures import curve_picture, spending_picture

#: Up to this many arms the lead names each.
_NAMED = 3


def chapter(report: At) -> Chapter:
    """The tuning curve with its band, TPE against random search, and the anytime curve."""
    tuning = report["tuning"]
    drawn = [arm for arm in tuning["arms"] if arm["curve"]]
    curve, spending = curve_picture(report), spending_picture(report)
    blocks: list[Block] = [_summary(tuning)] if _searched(tuning) else []
    if curve:
        blocks += [Heading(words="Best of n random trials"), curve]
        blocks.append(Bullets(items=tuple(_notes(tuning, drawn))))
    if spending:
        blocks += [Heading(words="Anytime performance"), spending]
        blocks.append(Text(words=_COURSE, faint=True))
    return Chapter(
        name="tuning", title="Tuning curves", lead=_lead(tuning, drawn), blocks=tuple(blocks)
    )


def score_name(tuning: At) -> str:
    """The quantity that the curves measure, without its range."""
    return str(tuning["unit"].value).removesuffix(", 0 to 1")


def _searched(tuning: At) -> bool:
    return any(arm["median"]["cost"] for arm in tuning["spending"]["arms"]) or any(
        arm["random"]["total"].value for arm in tuning["arms"]
    )


# -- in a sentence ----------------------------------------------------------------------------


def _lead(tuning: At, drawn: Sequence[At]) -> str:
    if not _searched(tuning):
        return "No trial has ended yet."
    if not drawn:
        return _too_few(tuning)
    name = f"the mean best {score_name(tuning)}"
    steps = {(arm["doubling"]["from"].value, arm["doubling"]["to"].value) for arm in drawn}
    if len(drawn) > _NAMED:
        ordered = sorted(drawn, key=_gain)
        least, most = ordered[0], ordered[-1]
        return (
            f"Doubling the random trials raised {name} by {_points(least)} ({least['arm'].value}, "
            f"least) to {_points(most)} ({most['arm'].value}, most)."
        )
    if len(steps) == 1:
        few, many = steps.pop()
        gains = _and([f"{_points(arm)} in {arm['arm'].value}" for arm in drawn])
        return f"Going from {few} to {many} random trials raised {name} by {gains}."
    gains = _and(
        [
            f"{_points(arm)} in {arm['arm'].value} (from {arm['doubling']['from'].value} to "
            f"{arm['doubling']['to'].value})"
            for arm in drawn
        ]
    )
    return f"Doubling the random trials raised {name} by {gains}."


def _and(clauses: Sequence[str]) -> str:
    return " and ".join(filter(None, [formats.listing(clauses[:-1]), clauses[-1]]))


def _too_few(tuning: At) -> str:
    counts = _and(
        [f"{arm['random']['total'].value} in {arm['arm'].value}" for arm in tuning["arms"]]
    )
    return (
        f"Too few random trials for a tuning curve: {counts}; {tuning['needed'].value} per arm are "
        "needed."
    )


def _gain(arm: At) -> float:
    return float(arm["doubling"]["gain"]["value"].value)


def _points(arm: At) -> str:
    number = formats.points(_gain(arm))
    return f"{number} {'point' if number == '1.0' else 'points'}"


# -- the table --------------------------------------------------------------------------------


def _summary(tuning: At) -> Table:
    arms = list(tuning["arms"])
    spent = {arm["arm"].value: arm["spent"] for arm in tuning["spending"]["arms"]}
    resource = tuning["spending"]["resource"].value
    lines: dict[str, Callable[[At], Cell]] = {
        "random trials": lambda arm: arm["random"]["total"].cell(formats.count),
        "trained to the end": lambda arm: arm["random"]["to_their_end"].cell(
            formats.count, small=_audited(arm)
        ),
        "ended early, with a score": lambda arm: arm["random"]["cut_short"].cell(formats.count),
        "ended without a score": lambda arm: arm["random"]["without_score"].cell(formats.count),
        "median best of half of them": _median_cell,
        "gain from the other half, points": _gain_cell,
        f"best of TPE {formats.MINUS} random, points": _tpe_cell,
        f"{resource}-hours of the search": lambda arm: spent[arm["arm"].value]["value"].cell(
            _hours
        ),
    }
    return arms_table(
        "tuning-summary",
        "Random search and TPE by arm",
        arms,
        [arm["arm"].value for arm in arms],
        lines,
        caption=f"Scores: {tuning['unit'].value}; a point is 0.01. Small print: 95 % limits. Those "
        "of the median are the band's; an upper limit of 1.000 means that the cohort gives none. "
        f"Those of TPE {formats.MINUS} random are Student's over studies, each at the number of "
        "trials of its smaller cohort. Everything except the band is descriptive.",
    )


def _audited(arm: At) -> str:
    number = arm["random"]["audited"].value
    return f"{number} audited" if number else ""


def _median_cell(arm: At) -> Cell:
    if not arm["doubling"]:
        return text(formats.NOTHING)
    half = arm["doubling"]["from"].value
    return arm["doubling"]["median"].estimate(formats.score, small=f"best of {half}")


def _gain_cell(arm: At) -> Cell:
    if not arm["doubling"]:
        return text(formats.NOTHING)
    return arm["doubling"]["gain"].estimate(formats.signed_points)


def _tpe_cell(arm: At) -> Cell:
    over, studies = arm["tpe"]["over_random"], arm["tpe"]["studies"].value
    if not over:
        return text(formats.NOTHING)
    sizes = sorted({study["best_of"] for study in studies})
    best_of = f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
    several = formats.plural(len(studies), "study", "studies")
    return over.estimate(formats.signed_points, small=f"best of {best_of}, {several}")


def _hours(seconds: float | None) -> str:
    return formats.hours(None if seconds is None else seconds / 3600)


# -- notes ------------------------------------------------------------------------------------


def _notes(tuning: At, drawn: Sequence[At]) -> Iterator[str]:
    cut = sum(arm["random"]["cut_short"].value for arm in drawn)
    void = sum(arm["random"]["without_score"].value for arm in drawn)
    total = sum(arm["random"]["total"].value for arm in drawn)
    if cut or void:
        counted = [f"{cut} ended early and count with their best value so far"]
        counted += [f"{void} ended without a value and count with 0"] if void else []
        yield (
            f"Of {formats.plural(total, 'random trial')}, {_and(counted)}. These are lower bounds: "
            "the curve is that of random search with the early stopping of this search, and a "
            "lower bound for random search without it. The lower edge of the band is valid for "
            "both, the upper edge for the former only."
        )
    yield (
        "Where the band reaches the upper edge of the figure, the cohort is too small for an upper "
        "limit; the median curve cannot exceed the best trial observed."
    )
    missing = [arm["arm"].value for arm in tuning["arms"] if not arm["curve"]]
    if missing:
        yield (
            f"No curve, with fewer than {tuning['needed'].value} random trials: "
            f"{formats.listing(missing)}."
        )


_COURSE = (
    "Descriptive: trials of this search in the order in which they ended; another search would "
    "differ. A trial's cost is counted when it ends, and the costs of concurrent "
    "trials are added. All cohorts are included, stopped trials with their best score so far. "
    "Confirmation is not included."
)
