"""Tuning curves: the best of n random trials, the sampler against them, anytime performance."""

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
from analysis.report.presentation.cells import cell, estimate
from analysis.report.presentation.tables import arms_table
from analysis.report.schema import Report
from analysis.report.tuning.figures import curve_picture, spending_picture
from analysis.report.tuning.schema import Doubling, TuningArm, TuningPart

#: Up to this many arms the lead names each.
_NAMED = 3


def chapter(report: Report) -> Chapter:
    """The tuning curve with its band, the sampler against random search, and the anytime curve."""
    tuning = report.tuning
    drawn = [(arm, arm.doubling) for arm in tuning.arms if arm.curve and arm.doubling]
    curve, spending = curve_picture(report), spending_picture(report)
    blocks: list[Block] = [_summary(tuning)] if _searched(tuning) else []
    if curve:
        blocks += [Heading(words="Best of n random trials"), curve]
        blocks.append(Bullets(items=tuple(_notes(tuning, [arm for arm, _ in drawn]))))
    if spending:
        blocks += [Heading(words="Anytime performance"), spending]
        blocks.append(Text(words=_COURSE, faint=True))
    return Chapter(
        name="tuning", title="Tuning curves", lead=_lead(tuning, drawn), blocks=tuple(blocks)
    )


def score_name(tuning: TuningPart) -> str:
    """The quantity that the curves measure, without its range."""
    return tuning.unit.removesuffix(", 0 to 1")


def _searched(tuning: TuningPart) -> bool:
    return any(arm.median.cost for arm in tuning.spending.arms) or any(
        arm.random.total for arm in tuning.arms
    )


# -- in a sentence ----------------------------------------------------------------------------


def _lead(tuning: TuningPart, drawn: Sequence[tuple[TuningArm, Doubling]]) -> str:
    if not _searched(tuning):
        return "No trial has ended yet."
    if not drawn:
        return _too_few(tuning)
    name = f"the mean best {score_name(tuning)}"
    steps = {(doubling.from_, doubling.to) for _, doubling in drawn}
    if len(drawn) > _NAMED:
        ordered = sorted(drawn, key=lambda found: found[1].gain.value)
        (least, little), (most, much) = ordered[0], ordered[-1]
        return (
            f"Doubling the random trials raised {name} by {_points(little)} ({least.arm}, "
            f"least) to {_points(much)} ({most.arm}, most)."
        )
    if len(steps) == 1:
        few, many = steps.pop()
        gains = _and([f"{_points(doubling)} in {arm.arm}" for arm, doubling in drawn])
        return f"Going from {few} to {many} random trials raised {name} by {gains}."
    gains = _and(
        [
            f"{_points(doubling)} in {arm.arm} (from {doubling.from_} to {doubling.to})"
            for arm, doubling in drawn
        ]
    )
    return f"Doubling the random trials raised {name} by {gains}."


def _and(clauses: Sequence[str]) -> str:
    return " and ".join(filter(None, [formats.listing(clauses[:-1]), clauses[-1]]))


def _too_few(tuning: TuningPart) -> str:
    counts = _and([f"{arm.random.total} in {arm.arm}" for arm in tuning.arms])
    return (
        f"Too few random trials for a tuning curve: {counts}; {tuning.needed} per arm are needed."
    )


def _points(doubling: Doubling) -> str:
    number = formats.points(doubling.gain.value)
    return f"{number} {'point' if number == '1.0' else 'points'}"


_NAMES = {
    "tpe": "TPE",
    "qmc": "Sobol points",
    "gp": "GP",
    "cmaes": "CMA-ES",
    "cqr": "CQR",
}


# -- the table --------------------------------------------------------------------------------


def _summary(tuning: TuningPart) -> Table:
    arms = tuning.arms
    spent = {arm.arm: arm.spent for arm in tuning.spending.arms}
    resource = tuning.spending.resource
    names = dict.fromkeys(_NAMES[name] for arm in arms for name in arm.tpe.samplers)
    sampler = " and ".join(names) or "TPE"
    lines: dict[str, Callable[[TuningArm], Cell]] = {
        "random trials": lambda arm: cell(arm.random.total, formats.count),
        "trained to the end": lambda arm: cell(
            arm.random.to_their_end, formats.count, small=_audited(arm)
        ),
        "ended early, with a score": lambda arm: cell(arm.random.cut_short, formats.count),
        "ended without a score": lambda arm: cell(arm.random.without_score, formats.count),
        "median best of half of them": _median_cell,
        "gain from the other half, points": _gain_cell,
        f"best of {sampler} {formats.MINUS} random, points": _tpe_cell,
        f"{resource}-hours of the search": lambda arm: cell(spent[arm.arm].value, _hours),
    }
    return arms_table(
        "tuning-summary",
        f"Random search and {sampler} by arm",
        arms,
        [arm.arm for arm in arms],
        lines,
        caption=f"Scores: {tuning.unit}; a point is 0.01. Small print: 95 % limits. Those "
        "of the median are the band's; an upper limit of 1.000 means that the cohort gives none. "
        f"Those of {sampler} {formats.MINUS} random are Student's over studies, each at the number "
        "of trials of its smaller cohort. Everything except the band is descriptive.",
    )


def _audited(arm: TuningArm) -> str:
    number = arm.random.audited
    return f"{number} audited" if number else ""


def _median_cell(arm: TuningArm) -> Cell:
    if not arm.doubling:
        return text(formats.NOTHING)
    half = arm.doubling.from_
    return estimate(arm.doubling.median, formats.score, small=f"best of {half}")


def _gain_cell(arm: TuningArm) -> Cell:
    if not arm.doubling:
        return text(formats.NOTHING)
    return estimate(arm.doubling.gain, formats.signed_points)


def _tpe_cell(arm: TuningArm) -> Cell:
    over, studies = arm.tpe.over_random, arm.tpe.studies
    if not over:
        return text(formats.NOTHING)
    sizes = sorted({study.best_of for study in studies})
    best_of = f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
    several = formats.plural(len(studies), "study", "studies")
    return estimate(over, formats.signed_points, small=f"best of {best_of}, {several}")


def _hours(seconds: float | None) -> str:
    return formats.hours(None if seconds is None else seconds / 3600)


# -- notes ------------------------------------------------------------------------------------


def _notes(tuning: TuningPart, drawn: Sequence[TuningArm]) -> Iterator[str]:
    cut = sum(arm.random.cut_short for arm in drawn)
    void = sum(arm.random.without_score for arm in drawn)
    total = sum(arm.random.total for arm in drawn)
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
    missing = [arm.arm for arm in tuning.arms if not arm.curve]
    if missing:
        yield (
            f"No curve, with fewer than {tuning.needed} random trials: {formats.listing(missing)}."
        )


_COURSE = (
    "Descriptive: trials of this search in the order in which they ended; another search would "
    "differ. A trial's cost is counted when it ends, and the costs of concurrent "
    "trials are added. All cohorts are included, stopped trials with their best score so far. "
    "Confirmation is not included."
)
