"""What tuning buys: the best of n random trials, TPE against random, the course of the search."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from analysis import formats
from analysis.report.blocks import Block, Bullets, Cell, Chapter, Heading, Table, Text, text
from analysis.report.chapters.tuning_figures import curve_picture, spending_picture
from analysis.report.cursor import At
from analysis.report.rows import arms_table

#: Up to as many arms the lead names each.
_NAMED = 3


def chapter(report: At) -> Chapter:
    """The tuning curve with its band, what TPE added, and the anytime curve."""
    tuning = report["tuning"]
    told = [arm for arm in tuning["arms"] if arm["curve"]]
    curve, spending = curve_picture(report), spending_picture(report)
    blocks: list[Block] = [_summary(tuning)] if _searched(tuning) else []
    if curve:
        blocks += [Heading(words="The best of n random trials"), curve]
        blocks.append(Bullets(items=tuple(_reading(tuning, told))))
    if spending:
        blocks += [Heading(words="The course of this search"), spending]
        blocks.append(Text(words=_course(tuning), faint=True))
    return Chapter(
        name="tuning", title="What tuning buys", lead=_lead(tuning, told), blocks=tuple(blocks)
    )


def score_name(tuning: At) -> str:
    """What the curves measure, without its range."""
    return str(tuning["unit"].value).removesuffix(", 0 to 1")


def _searched(tuning: At) -> bool:
    return any(arm["median"]["cost"] for arm in tuning["spending"]["arms"]) or any(
        arm["random"]["total"].value for arm in tuning["arms"]
    )


# -- in a sentence ----------------------------------------------------------------------------


def _lead(tuning: At, told: Sequence[At]) -> str:
    if not _searched(tuning):
        return "No trial has ended yet."
    if not told:
        return _too_few(tuning)
    name = f"the mean best {score_name(tuning)}"
    steps = {(arm["doubling"]["from"].value, arm["doubling"]["to"].value) for arm in told}
    if len(told) > _NAMED:
        ordered = sorted(told, key=_gain)
        least, most = ordered[0], ordered[-1]
        return (
            f"Twice the random trials raised {name} by {_points(least)} ({least['arm'].value}, "
            f"least) to {_points(most)} ({most['arm'].value}, most)."
        )
    if len(steps) == 1:
        few, many = steps.pop()
        said = _and([f"{_points(arm)} in {arm['arm'].value}" for arm in told])
        return f"Going from {few} to {many} random trials raised {name} by {said}."
    said = _and(
        [
            f"{_points(arm)} in {arm['arm'].value} (from {arm['doubling']['from'].value} to "
            f"{arm['doubling']['to'].value})"
            for arm in told
        ]
    )
    return f"Twice the random trials raised {name} by {said}."


def _and(clauses: Sequence[str]) -> str:
    return " and ".join(filter(None, [formats.listing(clauses[:-1]), clauses[-1]]))


def _too_few(tuning: At) -> str:
    counts = _and(
        [f"{arm['random']['total'].value} in {arm['arm'].value}" for arm in tuning["arms"]]
    )
    return (
        f"Too few random trials for a tuning curve: {counts}; it takes {tuning['needed'].value} in "
        "an arm."
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
        "of these to their own end": lambda arm: arm["random"]["to_their_end"].cell(
            formats.count, small=_audited(arm)
        ),
        "ended before, with a score": lambda arm: arm["random"]["cut_short"].cell(formats.count),
        "ended without any score": lambda arm: arm["random"]["without_score"].cell(formats.count),
        "median best of half of them": _median_cell,
        "gain from the other half, points": _gain_cell,
        "TPE's best over random's, points": _tpe_cell,
        f"{resource}-hours of the search": lambda arm: spent[arm["arm"].value]["value"].cell(
            _hours
        ),
    }
    return arms_table(
        "tuning-summary",
        "What random trials and TPE found, per arm",
        arms,
        [arm["arm"].value for arm in arms],
        lines,
        caption=f"Scores: {tuning['unit'].value}; a point is 0.01. In small print 95 % limits: "
        "of the median those of the band, where 1.000 above says that the cohort sets no limit; "
        "of TPE over random Student's over studies, each compared at the number of trials of its "
        "smaller cohort. All of it is descriptive but the band.",
    )


def _audited(arm: At) -> str:
    number = arm["random"]["audited"].value
    return f"{number} of them audited" if number else ""


def _median_cell(arm: At) -> Cell:
    if not arm["doubling"]:
        return text(formats.NOTHING)
    half = arm["doubling"]["from"].value
    return arm["doubling"]["median"].estimate(formats.score, small=f"best of {half}")


def _gain_cell(arm: At) -> Cell:
    if not arm["doubling"]:
        return text(formats.NOTHING)
    return arm["doubling"]["gain"].estimate(_signed)


def _tpe_cell(arm: At) -> Cell:
    over, studies = arm["tpe"]["over_random"], arm["tpe"]["studies"].value
    if not over:
        return text(formats.NOTHING)
    sizes = sorted({study["best_of"] for study in studies})
    best_of = f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
    several = formats.plural(len(studies), "study", "studies")
    return over.estimate(_signed, small=f"best of {best_of}, {several}")


def _signed(value: float | None) -> str:
    return formats.points(value, sign=True)


def _hours(seconds: float | None) -> str:
    return formats.hours(None if seconds is None else seconds / 3600)


# -- how to read it ---------------------------------------------------------------------------


def _reading(tuning: At, told: Sequence[At]) -> Iterator[str]:
    cut = sum(arm["random"]["cut_short"].value for arm in told)
    void = sum(arm["random"]["without_score"].value for arm in told)
    total = sum(arm["random"]["total"].value for arm in told)
    if cut or void:
        counted = [f"{cut} ended before their own end and count with the best value they had"]
        counted += [f"{void} ended without any and count with 0"] if void else []
        yield (
            f"Of {formats.plural(total, 'random trial')} {_and(counted)}. That is a lower bound of "
            "what the configuration would have come to: the curve is that of random search with "
            "this search's early stopping, and a lower bound of random search without it. The "
            "band's lower edge holds for both, its upper edge for the former alone."
        )
    yield (
        "Where the band reaches the figure's upper edge, the cohort is too small to say how good "
        "the best of so many could be: the median curve cannot rise above the best trial seen."
    )
    missing = [arm["arm"].value for arm in tuning["arms"] if not arm["curve"]]
    if missing:
        yield (
            f"Fewer than {tuning['needed'].value} random trials, hence no curve: "
            f"{formats.listing(missing)}."
        )


def _course(tuning: At) -> str:
    return (
        "Descriptive: it follows this search in the order in which its trials ended, and another "
        "would take another course. A trial is paid for when it ends; trials that run side by "
        "side are added up. All cohorts count, stopped trials with what they had. "
        "Confirmation is not in it."
    )
