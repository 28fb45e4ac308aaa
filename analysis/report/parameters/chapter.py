"""Hyperparameters: importance, score against each of them, and the table of trials."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from analysis import formats
from analysis.report.parameters.axes import words
from analysis.report.parameters.importances import importance_picture, stands_out
from analysis.report.parameters.parallel import parallel_picture
from analysis.report.parameters.schema import ArmImportance, Importance, ParametersPart, TrialTable
from analysis.report.parameters.slices import slices_picture
from analysis.report.presentation.blocks import (
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
from analysis.report.schema import Report

#: Up to this many arms the lead names each.
_NAMED = 3


def chapter(report: Report) -> Chapter:
    """Importance, score by parameter, parallel coordinates, and a table of trials."""
    parameters = report.parameters
    ranked = [arm for arm in parameters.importance if arm.parameters]
    importance, slices = importance_picture(report), slices_picture(report)
    parallel = parallel_picture(report)
    blocks: list[Block] = []
    if importance:
        blocks += [Heading(words="Hyperparameter importance"), importance]
        blocks.append(Bullets(items=tuple(_notes(parameters, ranked))))
    if slices and parallel:
        blocks += [Heading(words="Score by hyperparameter"), slices]
        blocks += [Heading(words="Parallel coordinates"), parallel]
        blocks.append(Text(words=_drawn(parameters.trials), faint=True))
    if parameters.trials.rows:
        table = _trials(parameters.trials)
        blocks.append(Fold(summary=_summary(parameters.trials), blocks=(table,)))
    return Chapter(
        name="parameters",
        title="Hyperparameters",
        lead=_lead(parameters, ranked),
        blocks=tuple(blocks),
    )


# -- in a sentence ----------------------------------------------------------------------------


def _lead(parameters: ParametersPart, ranked: Sequence[ArmImportance]) -> str:
    if not parameters.trials.total:
        return "No trial has ended yet."
    if not parameters.sampled:
        return "The search space samples no hyperparameter."
    if not ranked:
        counts = formats.listing(f"{arm.final} in {arm.arm}" for arm in parameters.importance)
        return (
            f"Too few trials with a final value to estimate importance: {counts}; "
            f"{parameters.needed} per arm are needed."
        )
    if len(ranked) > _NAMED:
        return _tally(ranked)
    found = formats.listing(_found(arm) for arm in ranked if _outstanding(arm))
    idle = [arm.arm for arm in ranked if not _outstanding(arm)]
    none = f"no hyperparameter exceeds chance in {' or '.join(idle)}" if idle else ""
    if not found:
        largest = " and ".join(_largest(arm) for arm in ranked)
        return f"{formats.capped(none)}: the largest share of importance is {largest}."
    return f"Most important hyperparameters: {found}{'; ' if none else ''}{none}."


def _tally(ranked: Sequence[ArmImportance]) -> str:
    """For many arms: the number in which each parameter exceeds chance."""
    counts = Counter(words(e.parameter) for arm in ranked for e in _outstanding(arm))
    if not counts:
        return f"No hyperparameter exceeds chance in any of {len(ranked)} arms."
    names = formats.listing(f"{name} in {number}" for name, number in counts.most_common())
    return f"Hyperparameters whose importance exceeds chance: {names} of {len(ranked)} arms."


def _outstanding(arm: ArmImportance) -> list[Importance]:
    """Parameters above chance, the largest share first."""
    above = [entry for entry in arm.parameters if stands_out(entry)]
    return sorted(above, key=lambda entry: -entry.share.value)


def _found(arm: ArmImportance) -> str:
    shares = " and ".join(
        f"{words(entry.parameter)} ({_share(entry)})" for entry in _outstanding(arm)
    )
    return f"{shares} in {arm.arm}"


def _largest(arm: ArmImportance) -> str:
    first = max(arm.parameters, key=lambda entry: entry.share.value)
    return f"{words(first.parameter)} in {arm.arm} ({_share(first)})"


def _share(entry: Importance) -> str:
    share, chance = formats.percent(entry.share.value), formats.percent(entry.noise.value)
    return f"{share}, by chance up to {chance}"


# -- notes ------------------------------------------------------------------------------------


def _notes(parameters: ParametersPart, ranked: Sequence[ArmImportance]) -> Iterator[str]:
    counts = formats.listing(f"the best {arm.best} of {arm.final} in {arm.arm}" for arm in ranked)
    yield (
        "Only trials with a final value count, that is complete and overfit ones; compared with "
        f"all are {counts}. They are not a uniform sample: the sampler concentrates on good "
        "regions and ASHA stops the worst trials, so a parameter that separates bad from good may "
        "seem unimportant among the good."
    )
    yield (
        "The chance level is the largest share over 19 random permutations of the scores. An "
        "irrelevant parameter exceeds it in 1 of 20 cases, so with many parameters and arms some "
        "will."
    )
    short = [arm.arm for arm in parameters.importance if not arm.parameters]
    if short:
        yield (
            f"No importance, with fewer than {parameters.needed} trials with a final "
            f"value: {formats.listing(short)}."
        )
    mixed = [arm.arm for arm in ranked if not arm.one_space]
    if mixed:
        yield (
            f"The merged searches used different search spaces for {formats.listing(mixed)}; "
            "importance is over the first one, and trials outside it are excluded."
        )
    outside = sum(arm.outside for arm in parameters.importance)
    if outside:
        yield (
            f"Excluded: {formats.plural(outside, 'trial')} with a value outside the search space, "
            "as baselines may have."
        )


def _drawn(trials: TrialTable) -> str:
    scored, drawn = trials.scored, len(trials.drawn)
    if drawn == scored:
        return f"Both figures show all {formats.count(scored)} trials with a score."
    return (
        f"Both figures show {drawn} of the {formats.count(scored)} trials with a score: half of "
        "each arm's are the chosen and the best ones, the others are evenly spaced."
    )


# -- the table --------------------------------------------------------------------------------


def _summary(trials: TrialTable) -> str:
    total, rows = trials.total, len(trials.rows)
    if rows == total:
        return f"All {formats.plural(total, 'trial')} as a table"
    return f"{rows} of {formats.count(total)} trials as a table"


def _trials(trials: TrialTable) -> Table:
    names = [column.name for column in trials.columns]
    chosen = set(trials.chosen)
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
            for row in trials.rows
        ),
        caption=_caption(trials),
        tall=True,
    )


def _numeric(trials: TrialTable, names: Sequence[str]) -> set[str]:
    """Columns in which every value that is there is a number."""
    cells = zip(*trials.rows, strict=True)
    return {
        name
        for name, column in zip(names, cells, strict=True)
        if all(value is None or isinstance(value, int | float) for value in column)
    }


def _head(name: str) -> str:
    heads = {"replicate": "study", "best_val_macro_f1": "best val. macro-F1", "seconds": "time"}
    return heads.get(name, words(name))


def _cell(trials: TrialTable, name: str, value: Any) -> str:
    if name == trials.score:
        return formats.score(value)
    return formats.duration(value) if name == "seconds" else formats.general(value)


def _caption(trials: TrialTable) -> str:
    shared = formats.listing(
        f"{words(name)} {formats.general(value)}" for name, value in trials.shared.items()
    )
    caption = ["Chosen trials in bold."]
    if len(trials.rows) < trials.total:
        caption.append(
            "Half of each arm's rows are the chosen and the best trials, the others are evenly "
            "spaced over the search; all trials are in trials.parquet of the results folder."
        )
    if shared:
        caption.append(f"The same in all trials: {shared}.")
    return " ".join(caption)
