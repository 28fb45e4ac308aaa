"""Hyperparameters: importance, score against each of them, and the table of trials."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from analysis import formats
from analysis.report.blocks import (
    Block,
    Bullets,
    Chapter,
    Column,
    Fold,
    Heading,
    Row,
    Table,
    Text,
    text,
)
from analysis.report.chapters.importances import importance_picture, stands_out
from analysis.report.chapters.parallel import parallel_picture
from analysis.report.chapters.parameter_axes import words
from analysis.report.chapters.slices import slices_picture
from analysis.report.cursor import At

#: Up to as many arms the lead names each.
_NAMED = 3


def chapter(report: At) -> Chapter:
    """What mattered, where good trials lie, and every trial or those that tell most."""
    parameters = report["parameters"]
    told = [arm for arm in parameters["importance"] if arm["parameters"]]
    importance, slices = importance_picture(report), slices_picture(report)
    parallel = parallel_picture(report)
    blocks: list[Block] = []
    if importance:
        blocks += [Heading(words="Importance"), importance]
        blocks.append(Bullets(items=tuple(_reading(parameters, told))))
    if slices and parallel:
        blocks += [Heading(words="Score against each value"), slices]
        blocks += [Heading(words="Whole configurations"), parallel]
        blocks.append(Text(words=_drawn(parameters["trials"]), faint=True))
    if parameters["trials"]["rows"]:
        table = _trials(parameters["trials"])
        blocks.append(Fold(summary=_summary(parameters["trials"]), blocks=(table,)))
    return Chapter(
        name="parameters",
        title="Hyperparameters",
        lead=_lead(parameters, told),
        blocks=tuple(blocks),
    )


# -- in a sentence ----------------------------------------------------------------------------


def _lead(parameters: At, told: Sequence[At]) -> str:
    if not parameters["trials"]["total"].value:
        return "No trial has ended yet."
    if not parameters["sampled"]:
        return "The search space sampled no hyperparameter."
    if not told:
        counts = formats.listing(
            f"{arm['final'].value} in {arm['arm'].value}" for arm in parameters["importance"]
        )
        return (
            f"Too few trials with a final value to say which hyperparameter mattered: {counts}; it "
            f"takes {parameters['needed'].value} in an arm."
        )
    if len(told) > _NAMED:
        return _tally(told)
    found = formats.listing(_found(arm) for arm in told if _outstanding(arm))
    idle = [arm["arm"].value for arm in told if not _outstanding(arm)]
    none = f"no hyperparameter stands out from chance in {' or '.join(idle)}" if idle else ""
    if not found:
        largest = " and ".join(_largest(arm) for arm in told)
        return f"{formats.capped(none)}: the largest share of importance is {largest}."
    return f"What sets the best trials apart: {found}{'; ' if none else ''}{none}."


def _tally(told: Sequence[At]) -> str:
    """Many arms: how often which parameter stood out."""
    counts = Counter(words(e["parameter"].value) for arm in told for e in _outstanding(arm))
    if not counts:
        return f"No hyperparameter stands out from chance in any of {len(told)} arms."
    said = formats.listing(f"{name} in {number}" for name, number in counts.most_common())
    return f"What sets the best trials apart beyond chance: {said} of {len(told)} arms."


def _outstanding(arm: At) -> list[At]:
    """Parameters above chance, the largest share first."""
    above = [entry for entry in arm["parameters"] if stands_out(entry)]
    return sorted(above, key=lambda entry: -entry["share"]["value"].value)


def _found(arm: At) -> str:
    shares = " and ".join(
        f"{words(entry['parameter'].value)} ({_share(entry)})" for entry in _outstanding(arm)
    )
    return f"{shares} in {arm['arm'].value}"


def _largest(arm: At) -> str:
    first = max(arm["parameters"], key=lambda entry: entry["share"]["value"].value)
    return f"{words(first['parameter'].value)} in {arm['arm'].value} ({_share(first)})"


def _share(entry: At) -> str:
    share, chance = (formats.percent(entry[key]["value"].value) for key in ("share", "noise"))
    return f"{share}, chance up to {chance}"


# -- how to read it ---------------------------------------------------------------------------


def _reading(parameters: At, told: Sequence[At]) -> Iterator[str]:
    counts = formats.listing(
        f"the best {arm['best'].value} of {arm['final'].value} in {arm['arm'].value}"
        for arm in told
    )
    yield (
        "Only trials with a final value count, those that completed or overfitted; compared are "
        f"{counts}. They are no even sample: the sampler led them to what was good and ASHA ended "
        "the worst, so a parameter that decides between bad and good may look idle among the good."
    )
    yield (
        "What chance gives is the largest share of 19 random deals of the scores. One idle "
        "parameter in 20 exceeds it, so with many parameters and arms some will."
    )
    short = [arm["arm"].value for arm in parameters["importance"] if not arm["parameters"]]
    if short:
        yield (
            f"Fewer than {parameters['needed'].value} trials with a final value, hence no "
            f"importance: {formats.listing(short)}."
        )
    mixed = [arm["arm"].value for arm in told if not arm["one_space"].value]
    if mixed:
        yield (
            f"The merged searches sampled {formats.listing(mixed)} from different spaces; "
            "importance is over that of the first alone, and trials outside it are left out."
        )
    outside = sum(arm["outside"].value for arm in parameters["importance"])
    if outside:
        yield (
            f"Left out: {formats.plural(outside, 'trial')} with a value that could not have been "
            "sampled, as baselines may have."
        )


def _drawn(trials: At) -> str:
    scored, drawn = trials["scored"].value, len(trials["drawn"])
    if drawn == scored:
        return f"Both figures show all {formats.count(scored)} trials that had a score."
    return (
        f"Both figures show {drawn} of the {formats.count(scored)} trials that had a score: in "
        "each arm the chosen and the best for half of the places, and others evenly spread."
    )


# -- the table --------------------------------------------------------------------------------


def _summary(trials: At) -> str:
    total, rows = trials["total"].value, len(trials["rows"])
    if rows == total:
        return f"All {formats.plural(total, 'trial')} as a table"
    return f"{rows} of {formats.count(total)} trials as a table"


def _trials(trials: At) -> Table:
    names = [column["name"] for column in trials["columns"].value]
    chosen = set(trials["chosen"].value)
    return Table(
        name="trials",
        label="Trials",
        columns=tuple(
            Column(name=_head(name), numeric=name in _numeric(trials, names)) for name in names
        ),
        rows=tuple(
            Row(
                cells=tuple(
                    text(_cell(trials, name, value)) for name, value in zip(names, row, strict=True)
                ),
                strong=row[0] in chosen,
            )
            for row in trials["rows"].value
        ),
        caption=_caption(trials),
        tall=True,
    )


def _numeric(trials: At, names: Sequence[str]) -> set[str]:
    """Columns in which every value that is there is a number."""
    cells = zip(*trials["rows"].value, strict=True)
    return {
        name
        for name, column in zip(names, cells, strict=True)
        if all(value is None or isinstance(value, int | float) for value in column)
    }


def _head(name: str) -> str:
    told = {"replicate": "study", "best_val_macro_f1": "best val. macro-F1", "seconds": "time"}
    return told.get(name, words(name))


def _cell(trials: At, name: str, value: Any) -> str:
    if name == trials["score"].value:
        return formats.score(value)
    return formats.duration(value) if name == "seconds" else formats.general(value)


def _caption(trials: At) -> str:
    shared = formats.listing(
        f"{words(name)} {formats.general(value)}" for name, value in trials["shared"].value.items()
    )
    said = ["Chosen trials in bold."]
    if len(trials["rows"]) < trials["total"].value:
        said.append(
            "In each arm the chosen and the best trials for half of the rows, and others evenly "
            "spread over the search; all of them are in trials.parquet of the results folder."
        )
    if shared:
        said.append(f"The same in all trials: {shared}.")
    return " ".join(said)
