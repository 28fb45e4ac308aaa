"""`fer-tune probe`: logistic regression on frozen features, as a baseline before a search."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fer_tune.cli.option_groups import AsJson
from fer_tune.errors import ResultsError, UserError, reporting

if TYPE_CHECKING:
    from rich.console import Console

    from fer_tune.schema.probe import Probe, ProbeRow, ProbeScore
    from fer_tune.space import SearchSpace
    from fer_tune.storage import AnyPath
    from fer_tune.training.context import TrialContext

#: The space whose arms, crop sizes and weights are probed by default.
DEFAULT_SPACE = "head_only"


def register(app: typer.Typer) -> None:
    """Adds the command to ``app``."""
    app.command()(probe)


def probe(
    space: Annotated[
        str | None,
        typer.Argument(
            help=f"A shipped search space's name, or a YAML file; by default {DEFAULT_SPACE}.",
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option("--data", help="Packed dataset or its URL; with --results: if it has moved."),
    ] = None,
    results: Annotated[
        str | None,
        typer.Option(
            "--results",
            help="Results folder (or URL) of a search: probe what it searched, for its report.",
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Override, such as weights=FOLDER; repeatable."),
    ] = None,
    arms: Annotated[
        list[str] | None,
        typer.Option("--arm", help="Only this arm; repeatable. By default all of the space."),
    ] = None,
    crops: Annotated[
        list[int] | None,
        typer.Option(
            "--crop",
            min=32,
            max=512,
            help="Crop size in pixels; repeatable. By default those of the space.",
        ),
    ] = None,
    folds: Annotated[
        int, typer.Option("--folds", min=3, max=50, help="Folds of the cross-validation.")
    ] = 5,
    bank: Annotated[Path | None, typer.Option("--bank", help="Folder of the feature bank.")] = None,
    as_json: AsJson = False,
    out: Annotated[
        str | None, typer.Option("--out", help="Also write the JSON to this file or URL.")
    ] = None,
) -> None:
    """Score logistic regression on frozen features, by arm and crop size, before a search."""
    from rich.console import Console

    from fer_tune.cli.models.targets import check_target
    from fer_tune.console import say
    from fer_tune.escaping import json_text, lines
    from fer_tune.probing.cases import cases
    from fer_tune.probing.probe import probe as probed
    from fer_tune.schema.probe import PROBE_FILE
    from fer_tune.storage import any_path, write_atomically

    targets = {} if out is None else {"--out": any_path(out)}
    for option, target in targets.items():
        check_target(target, option)
    console = Console(stderr=as_json)
    if results is None:
        subject = _of_space(space, data, set_ or [], bank, console)
    else:
        _refuse_both(space, set_)
        subject = _of_results(any_path(results), data, bank, console)
        targets["--results"] = any_path(results) / PROBE_FILE
        check_target(targets["--results"], "--results")
    chosen = cases(subject.space, arms or (), crops or ())
    found = probed(
        subject.space, subject.context, chosen, folds=folds, say=lambda line: say(console, line)
    )
    text = json_text(found.model_dump(), indent=2, allow_nan=False)
    for option, target in targets.items():
        with reporting("cannot be written", target, f"Check the path given as {option}", UserError):
            write_atomically(target, f"{text}\n")
    if as_json:
        typer.echo(lines(text))
    else:
        _show(found, None if results is None else targets["--results"], console)


@dataclass(frozen=True, kw_only=True)
class _Subject:
    """What is probed."""

    space: SearchSpace
    context: TrialContext


def _refuse_both(space: str | None, overrides: Sequence[str] | None) -> None:
    if space is not None or overrides:
        raise UserError(
            "cannot be combined with a search space or --set: the search has its own",
            where="--results",
            remedy="Remove them, or probe the search space without --results",
        )


def _of_space(
    name: str | None,
    data: str | None,
    overrides: Sequence[str],
    bank: Path | None,
    console: Console,
) -> _Subject:
    from fer_tune.features.folder import bank_folder
    from fer_tune.space import load
    from fer_tune.storage import any_path
    from fer_tune.tuning.files.dataset_cache import open_dataset
    from fer_tune.tuning.options import SearchOptions
    from fer_tune.tuning.precision import choice_here
    from fer_tune.tuning.preparation import check_weights
    from fer_tune.tuning.settings import trial_context

    if data is None:
        raise UserError("missing option --data", remedy="Name a packed dataset, or --results")
    space = load(name or DEFAULT_SPACE, overrides)
    check_weights(space)
    dataset = open_dataset(any_path(data), console)
    context = trial_context(space, dataset, SearchOptions(), bank or bank_folder())
    if space.precision == "auto":  # as a search here would choose, whose features these are
        context = replace(context, precision=choice_here(space).precision)
    return _Subject(space=space, context=context)


def _of_results(folder: AnyPath, data: str | None, bank: Path | None, console: Console) -> _Subject:
    """The search space, dataset and weights of a search, as it used them."""
    from fer_tune.features.folder import bank_folder
    from fer_tune.records import Results
    from fer_tune.space import recorded_space
    from fer_tune.storage import any_path
    from fer_tune.tuning.files.dataset_cache import reopen_dataset
    from fer_tune.tuning.options import SearchOptions
    from fer_tune.tuning.preparation import check_weights
    from fer_tune.tuning.settings import trial_context

    manifest: Any = Results.open(folder).manifest()
    recorded = manifest.get("dataset") or {}
    fingerprint, path = recorded.get("fingerprint"), data or recorded.get("path")
    if manifest.get("space") is None or fingerprint is None or path is None:
        raise ResultsError(
            "the manifest has no search space or no dataset",
            where=str(folder),
            remedy="Name the results folder of a search, and --data if it lacks the path",
        )
    space = recorded_space(manifest["space"], where=str(folder), later=True)
    check_weights(space, manifest)
    dataset = reopen_dataset(any_path(path), fingerprint, console, named=bool(data))
    context = trial_context(
        space,
        dataset,
        SearchOptions(),
        bank or bank_folder(),
        manifest.get("training_version") or 1,
        manifest.get("audit_version") or 1,
    )
    if space.precision == "auto" and manifest.get("precision"):
        context = replace(context, precision=manifest["precision"]["chosen"])
    return _Subject(space=space, context=context)


# -- what is printed --------------------------------------------------------------------------


def _show(found: Probe, written: AnyPath | None, console: Console) -> None:
    from fer_tune.console import plain_table, say
    from fer_tune.schema.probe import METRICS

    names = {"macro_f1": "macro-F1", "accuracy": "accuracy", "loss": "loss"}
    ordered = [found.metric, *(metric for metric in METRICS if metric != found.metric)]
    heads = ("arm", "crop", *(names[metric] for metric in ordered), "C", "features", "fits")
    say(console, "", plain_table([[*_cells(row, ordered)] for row in found.rows], *heads), "")
    say(
        console,
        f"Logistic regression on frozen features of {found.pictures:,} training pictures "
        f"({found.groups:,} groups of persons and copies), weights {found.weights}: "
        f"{found.folds}-fold cross-validation with 95 % intervals over groups, "
        f"{found.seconds / 60:.1f} minutes. Validation and test pictures were not used. "
        "It describes the features; it is no check of a search.",
        wrap=True,
    )
    if written is not None:
        say(console, f"written to {written}, for `fer-tune report`")


def _cells(row: ProbeRow, metrics: Sequence[str]) -> Iterator[str]:
    yield from (row.arm, f"{row.crop_size} px")
    for metric in metrics:
        score: ProbeScore = getattr(row.scores, metric)
        yield f"{score.value:.3f} [{score.low:.3f}, {score.high:.3f}]"
    low, high = min(row.strengths), max(row.strengths)
    yield f"{low:g}" if low == high else f"{low:g} – {high:g}"
    yield f"{row.feature_seconds:.0f} s{' (bank)' if row.from_bank else ''}"
    yield f"{row.fit_seconds:.0f} s"
