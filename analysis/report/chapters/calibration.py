"""Calibration: whether the probabilities that the arms give can be taken at their word."""

from __future__ import annotations

from analysis import formats
from analysis.formats import MINUS, listing, points
from analysis.report.blocks import Block, Chapter, Column, Fold, Picture, Row, Table, Text, text
from analysis.report.chapters.reliability_figure import reliability
from analysis.report.cursor import At, Form
from analysis.report.rows import value_table


def _signed(value: float | None) -> str:
    return points(value, sign=True)


#: By key of report.json: a row's name, and how its values and differences are shown.
_LINES: dict[str, tuple[str, Form, Form]] = {
    "confidence": ("confidence", formats.score, formats.score),
    "accuracy": ("accuracy", formats.score, formats.score),
    "excess": ("excess, points", _signed, _signed),
    "calibration_error": ("calibration error, points", points, _signed),
    "brier": ("Brier", formats.score, formats.score),
    "log_likelihood": ("NLL, nats", formats.score, formats.score),
}
#: A wide interval holds this as well as one about zero.
_NEITHER = "not found over- or under-confident"
_COMPARED = ("excess", "calibration_error", "brier", "log_likelihood")


def chapter(report: At) -> Chapter:
    """Measures per arm and their differences, and the reliability plot."""
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
        "Confidence is the probability of the class answered; its excess over accuracy is above "
        "zero where an arm claims more than it holds. Calibration error: the mean gap between "
        f"confidence and accuracy over {section['bins'].value} bins of confidence, weighted by "
        "answers (expected calibration error); it is a little above zero even for perfect "
        "probabilities. Brier score (0 to 2) and negative log-likelihood (NLL) reward answers "
        "that are right and honest alike. In these three less is better."
    )


# -- words ----------------------------------------------------------------------------------


def _lead(section: At) -> str:
    if not section["arms"]:
        return "Nothing is known yet: no confirmation run has answered the test pictures."
    arms = list(section["arms"])
    told = [_of_arm(arm) for arm in arms] if len(arms) <= 2 else _grouped(arms)
    return f"{'; '.join([*told, *_better(section)])}."


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
    said = f"is {points(claimed)} % sure of its answers on average and right in {points(right)} %"
    excess = arm["all"]["excess"].value
    if kind == "without an interval":
        why = "a single run" if excess["n"] == 1 else f"no spread over {excess['of']}"
        return f"{name} {said} ({why}, so that chance is not told from bias)"
    if kind == _NEITHER:
        return (
            f"{name} was {kind}: it {said} (95 % interval of the excess "
            f"{_signed(excess['low'])} to {_signed(excess['high'])} points)"
        )
    return f"{name} is {kind}: it {said}"


def _grouped(arms: list[At]) -> list[str]:
    """By kind the arms, each with its confidence above accuracy."""
    groups: dict[str, list[str]] = {}
    for arm in arms:
        gap = _signed(arm["all"]["excess"]["value"].value)
        groups.setdefault(_kind(arm), []).append(f"{arm['arm'].value} ({gap})")
    first, *rest = (f"{kind}: {listing(names)}" for kind, names in groups.items())
    return [f"Confidence above accuracy, in points, by arm: {first}", *rest]


def _better(section: At) -> list[str]:
    """The arm whose calibration error is lower, where one pair tells them apart."""
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
        caption=f"Means over {of}, in small print 95 % intervals over {of}. Floors are single "
        "models and have none.",
    )


def _differences(section: At) -> Table:
    pairs = list(section["pairs"])
    shown = {key: _LINES[key] for key in _COMPARED}
    return Table(
        name="calibration-differences",
        label="Differences of calibration",
        columns=(
            Column(name="difference"),
            *(Column(name=name, numeric=True) for name, _, _ in shown.values()),
        ),
        rows=tuple(
            Row(
                cells=(
                    text(f"{pair['first'].value} {MINUS} {pair['second'].value}"),
                    *(pair[key].estimate(form) for key, (_, _, form) in shown.items()),
                )
            )
            for pair in pairs
        ),
        caption="In small print Welch's 95 % intervals over "
        f"{section['arms'][0]['all']['brier']['of'].value}, each alone: not corrected for looking "
        "at several.",
    )


def _bins(section: At) -> Table:
    heads: dict[str, Form] = {
        "arm": str,
        "from": formats.score,
        "to": formats.score,
        "answers": formats.count,
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
