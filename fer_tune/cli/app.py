"""Commands, options and help of ``fer-tune``."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from analysis.settings import Settings
from fer_tune import __version__
from fer_tune.cli import banks, clusters, profiling, remote, spaces, weights
from fer_tune.cli.data import app as data
from fer_tune.cli.models import evaluating, exporting, listing, predicting, serving, web
from fer_tune.cli.option_groups import AsJson, Since, grouped, search_options, thresholds
from fer_tune.cli.planning import planning, probing, simulating
from fer_tune.errors import UserError
from fer_tune.escaping import LineFormatter
from fer_tune.process import keep_going
from fer_tune.tuning.options import SearchOptions

if logging.lastResort:  # prints the warnings of commands that set up no log
    logging.lastResort.setFormatter(LineFormatter())

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(data.app, name="data")
app.add_typer(spaces.app, name="spaces")
app.add_typer(weights.app, name="weights")
app.add_typer(listing.app, name="models")
app.add_typer(banks.app, name="bank")
app.add_typer(clusters.app, name="cluster")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def main(
    _: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Search hyperparameters of facial expression recognisers and decide which is better."""


Data = Annotated[
    str, typer.Option("--data", help="Packed dataset (from `data import`), or its URL.")
]
Moved = Annotated[
    str | None, typer.Option("--data", help="Packed dataset or its URL, if it has moved.")
]
Folder = Annotated[str, typer.Argument(help="Results folder of a search, or its URL.")]
Folders = Annotated[
    list[str], typer.Argument(help="Results folder (or URL) of a search, or several to merge.")
]


@app.command()
@grouped("options", search_options)
def search(
    space: Annotated[str, typer.Argument(help="A shipped search space's name, or a YAML file.")],
    data: Data,
    results: Annotated[
        str | None,
        typer.Option("--results", help="Results folder or URL; by default results/NAME-TIME."),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Override, such as budget.trials=40; repeatable."),
    ] = None,
    warm_start: Annotated[
        list[str] | None,
        typer.Option(
            "--warm-start",
            help="Results folder or URL of an earlier search of the same dataset and space, whose "
            "trials the sampler learns from; repeatable.",
        ),
    ] = None,
    *,
    options: SearchOptions,
    plan: Annotated[
        str | None,
        typer.Option(
            "--plan",
            help="Output of `plan --json`, whose settings are used, or of `simulate --json`; the "
            "report compares it with the outcome.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the plan and stop before anything starts.")
    ] = False,
    or_resume: Annotated[
        bool,
        typer.Option(
            "--or-resume",
            help="Resume the search if --results holds it: the same command may be repeated.",
        ),
    ] = False,
) -> None:
    """Search, confirm and report: from a packed dataset to a verdict."""
    from fer_tune.cli.searching import run

    keep_going("the search")
    run(
        space,
        data,
        results,
        set_ or [],
        options,
        dry_run=dry_run,
        or_resume=or_resume,
        warm_start=warm_start or [],
        plan=plan,
    )


@app.command()
@grouped("options", search_options)
def resume(
    results: Folder,
    extend: Annotated[
        list[str] | None,
        typer.Option(
            "--extend",
            help="Larger budget: trials=40 (in all), wall_time=2h, accelerator_hours=20, money=50.",
        ),
    ] = None,
    data: Moved = None,
    *,
    options: SearchOptions,
) -> None:
    """Resume a search that was interrupted or killed, or extend a finished one."""
    from fer_tune.cli.searching import run_resume

    keep_going("the search")
    run_resume(results, extend or [], data, options)


@app.command()
@grouped("options", search_options)
def confirm(
    results: Folder,
    seeds: Annotated[
        int | None, typer.Option("--seeds", help="Seeds per choice, earlier ones included.")
    ] = None,
    data: Moved = None,
    *,
    options: SearchOptions,
    keep_models: Annotated[
        bool,
        typer.Option("--keep-models", help="Train models that were not kept again; keep them."),
    ] = False,
) -> None:
    """Add confirmation seeds to a search, without choosing again."""
    from fer_tune.cli.searching import run_confirm

    keep_going("the search")
    run_confirm(results, seeds, data, options, keep_models=keep_models)


@app.command()
@grouped("settings", thresholds)
def report(
    results: Folders,
    out: Annotated[
        str | None,
        typer.Option("--out", help="Output folder; by default RESULTS/report."),
    ] = None,
    *,
    settings: Settings,
    price_per_hour: Annotated[
        float | None,
        typer.Option("--price-per-hour", help="Price of one accelerator (or CPU); adds costs."),
    ] = None,
    currency: Annotated[str, typer.Option("--currency", help="Currency of the price.")] = "USD",
    gallery: Annotated[
        bool, typer.Option("--gallery/--no-gallery", help="Test pictures in the report.")
    ] = True,
    since: Since = None,
    as_json: AsJson = False,
) -> None:
    """Write the report (HTML, Markdown, JSON) from the records; several folders become one."""
    from fer_tune.cli.reporting import show_report, started_since

    chosen = replace(settings, price_per_hour=price_per_hour, currency=currency, gallery=gallery)
    show_report(started_since(results, since), out, chosen, as_json=as_json)


@app.command()
@grouped("settings", thresholds)
def rank(
    results: Folders,
    *,
    settings: Settings,
    since: Since = None,
    as_json: AsJson = False,
) -> None:
    """Print the verdict and the arms from best to worst."""
    from fer_tune.cli.reporting import rank as show
    from fer_tune.cli.reporting import started_since

    show(started_since(results, since), settings, as_json=as_json)


@app.command()
@grouped("settings", thresholds)
def compare(
    first: Annotated[str, typer.Argument(help="Results folder A, or its URL.")],
    second: Annotated[str, typer.Argument(help="Results folder B, or its URL.")],
    *,
    settings: Settings,
    as_json: AsJson = False,
) -> None:
    """Compare two searches: their settings, and each arm's scores."""
    from fer_tune.cli.reporting import compare as show

    show(first, second, settings, as_json=as_json)


predicting.register(app)
evaluating.register(app)
exporting.register(app)
serving.register(app)
web.register(app)
profiling.register(app)
simulating.register(app)
planning.register(app)
probing.register(app)
remote.register(app)


@app.command()
def doctor(
    ray: Annotated[
        bool, typer.Option("--ray", help="Also start Ray, run a task and stop it.")
    ] = False,
    as_json: AsJson = False,
    gpu: Annotated[
        bool, typer.Option("--gpu", help="Test a GPU instead, in about five minutes.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the search and report of --gpu.")
    ] = None,
) -> None:
    """Check this machine for everything that a search needs; explain how to fix what is missing."""
    if gpu:
        if ray or as_json:
            raise UserError(
                "--gpu can only be combined with --out", remedy="Run `fer-tune doctor` twice"
            )
        from rich.console import Console

        from fer_tune.cli.doctor.gpu_smoke import smoke

        raise typer.Exit(smoke(out, Console()))
    if out is not None:
        raise UserError("--out requires --gpu", remedy="Remove it, or add --gpu")
    from fer_tune.cli.doctor.command import examine

    raise typer.Exit(examine(ray=ray, as_json=as_json))


@app.command()
def version(as_json: AsJson = False) -> None:
    """Print the version."""
    from fer_tune.escaping import json_text

    if as_json:
        typer.echo(json_text({"version": __version__}))
    else:
        typer.echo(__version__)
