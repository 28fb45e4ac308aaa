"""Calibration of the predicted probabilities: measures by arm and reliability diagrams."""

from __future__ import annotations

from analysis import formats
from analysis.formats import listing, points, signed_points
from analysis.report.calibration.figures import reliability
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
from analysis.report.presentation.cursor import At, Form, pair_name
from analysis.report.presentation.tables import value_table

#: By key of report.json: column head, format of values, format of differences.
_LINES: dict[str, tuple[str, Form, Form]] = {
    "confidence": ("confidence", formats.score, formats.score),
    "accuracy": ("accuracy", formats.score, formats.score),
    "excess": ("excess, points", signed_points, signed_points),
    "calibration_error": ("calibration error, points", points, signed_points),
    "brier": ("Brier", formats.score, formats.score),
    "log_likelihood": ("NLL, nats", formats.score, formats.score),
}
#: Also with a wide interval, which is no evidence of calibration.
_NEITHER = "not significantly over- or under-confident"
_COMPARED = ("excess", "calibration_error", "brier", "log_likelihood")


def chapter(report: At) -> Chapter:
    """Measures by arm, their differences, and the reliability diagram."""
    section = report["calibration"]
    return Chapter(
        name="calibration",
        title="Calibration",
        lead=_lead(section),
        blocks=_blocks(report, section) if section["arms"] else (),
    )


def _blocks(report: At, section: At) -> tuple[Block, ...]:
    differences = (_differences(section),) if section["pairs"] else ()
    picture = Picture(
        drawing=reliability(report, section), data=_bins(section), wide=len(section["arms"]) > 1
    )
    clean = any(entry["clean"] for entry in section["arms"])
    fold = Fold(summary="On clean test pictures", blocks=(_measures(section, "clean"),))
    return (
        Text(words=_meaning(section), faint=True),
        _measures(section, "all"),
        *differences,
        *([fold] if clean else []),
        picture,
    )


def _meaning(section: At) -> str:
    return (
        "Confidence is the probability of the predicted class; its excess over accuracy is above "
        "zero where an arm is over-confident. Calibration error: the mean gap between confidence "
        f"and accuracy over {section['bins'].value} bins of confidence, weighted by predictions "
        "(expected calibration error); it is slightly above zero even for perfect calibration. "
        "Brier score (0 to 2) and negative log-likelihood (NLL) reward both accuracy and "
        "calibration. For these three, lower is better."
    )


# -- words ----------------------------------------------------------------------------------


def _lead(section: At) -> str:
    if not section["arms"]:
        return "No calibration yet: no confirmation run has test predictions."
    arms = list(section["arms"])
    clauses = [_of_arm(arm) for arm in arms] if len(arms) <= 2 else _grouped(arms)
    return f"{'; '.join([*clauses, *_better(section)])}."


def _kind(arm: At) -> str:
    excess = arm["all"]["excess"].value
    if excess["low"] is None:
        return "without an interval"
    if excess["low"] > 0:
        return "over-confident"
    return "under-confident" if excess["high"] < 0 else _NEITHER


def _of_arm(arm: At) -> str:
    name, kind = arm["arm"].value, _kind(arm)
    claimed, right = (arm["all"][key]["value"].value for key in ("confidence", "accuracy"))
    means = f"has a mean confidence of {points(claimed)} % and an accuracy of {points(right)} %"
    excess = arm["all"]["excess"].value
    if kind == "without an interval":
        why = "a single run" if excess["n"] == 1 else f"no variation over {excess['of']}"
        return f"{name} {means} ({why}, so there is no interval)"
    if kind == _NEITHER:
        return (
            f"{name} is {kind}: it {means} (95 % interval of the excess "
            f"{signed_points(excess['low'])} to {signed_points(excess['high'])} points)"
        )
    return f"{name} is {kind}: it {means}"


def _grouped(arms: list[At]) -> list[str]:
    """Arms by kind, each with its excess of confidence over accuracy."""
    groups: dict[str, list[str]] = {}
    for arm in arms:
        gap = signed_points(arm["all"]["excess"]["value"].value)
        groups.setdefault(_kind(arm), []).append(f"{arm['arm'].value} ({gap})")
    first, *rest = (f"{kind}: {listing(names)}" for kind, names in groups.items())
    return [f"Confidence minus accuracy in points, by arm: {first}", *rest]


def _better(section: At) -> list[str]:
    """The arm with the significantly lower calibration error, of a single pair."""
    if len(section["pairs"]) != 1:
        return []
    pair = section["pairs"][0]
    error = pair["calibration_error"].value
    if error["low"] is None or error["low"] <= 0 <= error["high"]:
        return []
    names = (pair["first"].value, pair["second"].value)
    lower, higher = names if error["value"] < 0 else names[::-1]
    gap = points(abs(error["value"]))
    return [f"the calibration error of {lower} is {gap} points below that of {higher}"]


# -- tables ---------------------------------------------------------------------------------


def _measures(section: At, part: str) -> Table:
    """A row per arm and floor, on ``all`` or on ``clean`` pictures."""
    entries = [(arm["arm"].value, arm[part]) for arm in section["arms"]]
    entries += [(f"floor: {floor['label'].value}", floor[part]) for floor in section["floors"]]
    of = section["arms"][0]["all"]["brier"]["of"].value
    pictures = {"all": "", "clean": " on clean pictures"}[part]
    return Table(
        name=f"calibration-{part}",
        label=f"Calibration of arms and floors{pictures}",
        columns=(
            Column(name="arm"),
            *(Column(name=name, numeric=True) for name, _, _ in _LINES.values()),
        ),
        rows=tuple(
            Row(
                cells=(
                    text(name),
                    *(entry[key].estimate(form) for key, (_, form, _) in _LINES.items()),
                )
            )
            for name, entry in entries
            if entry
        ),
        caption=f"Means over {of}; small print: 95 % intervals over {of}. Floors are single "
        "models without intervals.",
    )


def _differences(section: At) -> Table:
    pairs = list(section["pairs"])
    shown = {key: _LINES[key] for key in _COMPARED}
    return Table(
        name="calibration-differences",
        label="Differences in calibration",
        columns=(
            Column(name="difference"),
            *(Column(name=name, numeric=True) for name, _, _ in shown.values()),
        ),
        rows=tuple(
            Row(
                cells=(
                    text(pair_name(pair)),
                    *(pair[key].estimate(form) for key, (_, _, form) in shown.items()),
                )
            )
            for pair in pairs
        ),
        caption="Small print: Welch's 95 % intervals over "
        f"{section['arms'][0]['all']['brier']['of'].value}, not corrected for multiple "
        "comparisons.",
    )


def _bins(section: At) -> Table:
    heads: dict[str, Form] = {
        "arm": str,
        "from": formats.score,
        "to": formats.score,
        "predictions": formats.count,
        "mean confidence": formats.score,
        "accuracy": formats.score,
    }
    rows = [
        [arm["arm"].value, bins["edges"][place], bins["edges"][place + 1], answers, *shares]
        for arm in section["arms"]
        for bins in [arm["reliability"].value]
        for place, answers in enumerate(bins["answers"])
        for shares in [(bins["confidence"][place], bins["accuracy"][place])]
        if answers
    ]
    return value_table("calibration-bins", "Reliability by bin of confidence", heads, rows)
