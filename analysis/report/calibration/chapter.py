"""Calibration of the predicted probabilities: measures by arm and reliability diagrams."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from analysis import formats
from analysis.formats import listing, points, signed_points
from analysis.report.calibration.figures import reliability
from analysis.report.calibration.schema import (
    CalibrationArm,
    CalibrationPair,
    CalibrationPart,
    Measures,
)
from analysis.report.presentation.blocks import (
    Block,
    Chapter,
    Column,
    Fold,
    Picture,
    Row,
    Table,
    Text,
    text,
)
from analysis.report.presentation.cells import Form, estimate, pair_name
from analysis.report.presentation.tables import value_table
from analysis.report.schema import Report
from analysis.report.values import Quantity

#: Column head, format, and value of a measure.
_MEASURES: tuple[tuple[str, Form, Callable[[Measures], Quantity]], ...] = (
    ("confidence", formats.score, lambda measures: measures.confidence),
    ("accuracy", formats.score, lambda measures: measures.accuracy),
    ("excess, points", signed_points, lambda measures: measures.excess),
    ("calibration error, points", points, lambda measures: measures.calibration_error),
    ("Brier", formats.score, lambda measures: measures.brier),
    ("NLL, nats", formats.score, lambda measures: measures.log_likelihood),
)
#: The same of a difference.
_DIFFERENCES: tuple[tuple[str, Form, Callable[[CalibrationPair], Quantity]], ...] = (
    ("excess, points", signed_points, lambda pair: pair.excess),
    ("calibration error, points", signed_points, lambda pair: pair.calibration_error),
    ("Brier", formats.score, lambda pair: pair.brier),
    ("NLL, nats", formats.score, lambda pair: pair.log_likelihood),
)
#: Also with a wide interval, which is no evidence of calibration.
_NEITHER = "not significantly over- or under-confident"


def chapter(report: Report) -> Chapter:
    """Measures by arm, their differences, and the reliability diagram."""
    section = report.calibration
    return Chapter(
        name="calibration",
        title="Calibration",
        lead=_lead(section),
        blocks=_blocks(report, section) if section.arms else (),
    )


def _blocks(report: Report, section: CalibrationPart) -> tuple[Block, ...]:
    differences = (_differences(section),) if section.pairs else ()
    picture = Picture(
        drawing=reliability(report, section), data=_bins(section), wide=len(section.arms) > 1
    )
    clean = any(entry.clean for entry in section.arms)
    fold = Fold(summary="On clean test pictures", blocks=(_measures(section, clean=True),))
    return (
        Text(words=_meaning(section), faint=True),
        _measures(section, clean=False),
        *differences,
        *([fold] if clean else []),
        picture,
    )


def _meaning(section: CalibrationPart) -> str:
    return (
        "Confidence is the probability of the predicted class; its excess over accuracy is above "
        "zero where an arm is over-confident. Calibration error: the mean gap between confidence "
        f"and accuracy over {section.bins} bins of confidence, weighted by predictions "
        "(expected calibration error); it is slightly above zero even for perfect calibration. "
        "Brier score (0 to 2) and negative log-likelihood (NLL) reward both accuracy and "
        "calibration. For these three, lower is better."
    )


# -- words ----------------------------------------------------------------------------------


def _lead(section: CalibrationPart) -> str:
    if not section.arms:
        return "No calibration yet: no confirmation run has test predictions."
    arms = section.arms
    clauses = [_of_arm(arm) for arm in arms] if len(arms) <= 2 else _grouped(arms)
    return f"{'; '.join([*clauses, *_better(section)])}."


def _kind(arm: CalibrationArm) -> str:
    excess = arm.all.excess
    if excess.low is None or excess.high is None:
        return "without an interval"
    if excess.low > 0:
        return "over-confident"
    return "under-confident" if excess.high < 0 else _NEITHER


def _of_arm(arm: CalibrationArm) -> str:
    name, kind = arm.arm, _kind(arm)
    claimed, right = arm.all.confidence.value, arm.all.accuracy.value
    means = f"has a mean confidence of {points(claimed)} % and an accuracy of {points(right)} %"
    excess = arm.all.excess
    if kind == "without an interval":
        why = "a single run" if excess.n == 1 else f"no variation over {excess.of}"
        return f"{name} {means} ({why}, so there is no interval)"
    if kind == _NEITHER:
        return (
            f"{name} is {kind}: it {means} (95 % interval of the excess "
            f"{signed_points(excess.low)} to {signed_points(excess.high)} points)"
        )
    return f"{name} is {kind}: it {means}"


def _grouped(arms: Sequence[CalibrationArm]) -> list[str]:
    """Arms by kind, each with its excess of confidence over accuracy."""
    groups: dict[str, list[str]] = {}
    for arm in arms:
        gap = signed_points(arm.all.excess.value)
        groups.setdefault(_kind(arm), []).append(f"{arm.arm} ({gap})")
    first, *rest = (f"{kind}: {listing(names)}" for kind, names in groups.items())
    return [f"Confidence minus accuracy in points, by arm: {first}", *rest]


def _better(section: CalibrationPart) -> list[str]:
    """The arm with the significantly lower calibration error, of a single pair."""
    if len(section.pairs) != 1:
        return []
    pair = section.pairs[0]
    error = pair.calibration_error
    if error.low is None or error.high is None or error.low <= 0 <= error.high:
        return []
    names = (pair.first, pair.second)
    lower, higher = names if error.value < 0 else names[::-1]
    gap = points(abs(error.value))
    return [f"the calibration error of {lower} is {gap} points below that of {higher}"]


# -- tables ---------------------------------------------------------------------------------


def _measures(section: CalibrationPart, *, clean: bool) -> Table:
    """A row per arm and floor, on all or on clean pictures."""
    entries = [(arm.arm, arm.clean if clean else arm.all) for arm in section.arms]
    entries += [
        (f"floor: {floor.label}", floor.clean if clean else floor.all) for floor in section.floors
    ]
    of = section.arms[0].all.brier.of
    return Table(
        name=f"calibration-{'clean' if clean else 'all'}",
        label=f"Calibration of arms and floors{' on clean pictures' if clean else ''}",
        columns=(
            Column(name="arm"),
            *(Column(name=name, numeric=True) for name, _, _ in _MEASURES),
        ),
        rows=tuple(
            Row(
                cells=(
                    text(name),
                    *(estimate(of_entry(entry), form) for _, form, of_entry in _MEASURES),
                )
            )
            for name, entry in entries
            if entry
        ),
        caption=f"Means over {of}; small print: 95 % intervals over {of}. Floors are single "
        "models without intervals.",
    )


def _differences(section: CalibrationPart) -> Table:
    pairs = section.pairs
    return Table(
        name="calibration-differences",
        label="Differences in calibration",
        columns=(
            Column(name="difference"),
            *(Column(name=name, numeric=True) for name, _, _ in _DIFFERENCES),
        ),
        rows=tuple(
            Row(
                cells=(
                    text(pair_name(pair)),
                    *(estimate(of_pair(pair), form) for _, form, of_pair in _DIFFERENCES),
                )
            )
            for pair in pairs
        ),
        caption="Small print: Welch's 95 % intervals over "
        f"{section.arms[0].all.brier.of}, not corrected for multiple "
        "comparisons.",
    )


def _bins(section: CalibrationPart) -> Table:
    heads: dict[str, Form] = {
        "arm": str,
        "from": formats.score,
        "to": formats.score,
        "predictions": formats.count,
        "mean confidence": formats.score,
        "accuracy": formats.score,
    }
    rows = [
        [arm.arm, bins.edges[place], bins.edges[place + 1], answers, *shares]
        for arm in section.arms
        for bins in [arm.reliability]
        for place, answers in enumerate(bins.answers)
        for shares in [(bins.confidence[place], bins.accuracy[place])]
        if answers
    ]
    return value_table("calibration-bins", "Reliability by bin of confidence", heads, rows)
