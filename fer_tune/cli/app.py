"""Commands, options and help of ``fer-tune``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fer_tune.cli import clusters, data, remote, spaces, weights
from fer_tune.errors import UserError

if TYPE_CHECKING:
    from fer_tune.tuning.options import SearchOptions

app = typer.Typer(
    help="Search hyperparameters of facial expression recognisers, and settle which is better.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(data.app, name="data")
app.add_typer(spaces.app, name="spaces")
app.add_typer(weights.app, name="weights")
app.add_typer(clusters.app, name="cluster")

Data = Annotated[
    str, typer.Option("--data", help="Packed dataset (from `data import`), or its URL.")
]
Moved = Annotated[
    str | None, typer.Option("--data", help="Packed dataset or its URL, if it has moved.")
]
Address = Annotated[
    str | None, typer.Option("--address", help="Running Ray cluster; none starts Ray here.")
]
Cpus = Annotated[int | None, typer.Option("--cpus", help="CPUs for a Ray started here.")]
Bank = Annotated[Path | None, typer.Option("--bank", help="Folder of the feature bank.")]
Dashboard = Annotated[
    bool, typer.Option("--dashboard/--no-dashboard", help="Dashboard of a Ray started here.")
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Nothing but faults, and the verdict at the end.")
]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Every event and Ray's own log, for no table.")
]
Folder = Annotated[str, typer.Argument(help="Results folder of a search, or its URL.")]
Folders = Annotated[
    list[str], typer.Argument(help="Results folder (or URL) of a search, or several to merge.")
]
SmallestEffect = Annotated[
    float,
    typer.Option("--smallest-effect", help="Difference of macro-F1 worth having; 0.01 is a point."),
]
FailedShare = Annotated[
    float, typer.Option("--failed-share", help="Share of an arm's trials that may fail.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def search(
    space: Annotated[str, typer.Argument(help="A shipped search space's name, or a YAML file.")],
    data: Data,
    results: Annotated[
        str | None,
        typer.Option("--results", help="Results folder or URL; by default results/NAME-TIME."),
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Override, as budget.trials=40; repeatable.")
    ] = None,
    address: Address = None,
    cpus: Cpus = None,
    bank: Bank = None,
    dashboard: Dashboard = True,
    quiet: Quiet = False,
    verbose: Verbose = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the plan and stop before anything starts.")
    ] = False,
) -> None:
    """Search, confirm and report: from a packed dataset to a verdict."""
    from fer_tune.cli.searching import run

    run(
        space,
        data,
        results,
        set_ or [],
        _options(address, cpus, bank, dashboard, quiet, verbose),
        dry_run,
    )


@app.command()
def resume(
    results: Folder,
    extend: Annotated[
        list[str] | None,
        typer.Option("--extend", help="Larger budget: trials=40 (in all), wall_time=2h."),
    ] = None,
    data: Moved = None,
    address: Address = None,
    cpus: Cpus = None,
    bank: Bank = None,
    dashboard: Dashboard = True,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Go on with a search that was interrupted or killed, or extend a finished one."""
    from fer_tune.cli.searching import run_resume

    run_resume(
        results, extend or [], data, _options(address, cpus, bank, dashboard, quiet, verbose)
    )


@app.command()
def confirm(
    results: Folder,
    seeds: Annotated[int, typer.Option("--seeds", help="Seeds per choice, earlier ones counted.")],
    data: Moved = None,
    address: Address = None,
    cpus: Cpus = None,
    bank: Bank = None,
    dashboard: Dashboard = True,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Add confirmation seeds to a search, without choosing again."""
    from fer_tune.cli.searching import run_confirm

    run_confirm(results, seeds, data, _options(address, cpus, bank, dashboard, quiet, verbose))


@app.command()
def report(
    results: Folders,
    out: Annotated[
        str | None,
        typer.Option("--out", help="Where to write; by default RESULTS/report."),
    ] = None,
    smallest_effect: SmallestEffect = 0.01,
    failed_share: FailedShare = 0.2,
    price_per_hour: Annotated[
        float | None,
        typer.Option("--price-per-hour", help="Of one accelerator (or CPU): adds prices."),
    ] = None,
    currency: Annotated[str, typer.Option("--currency", help="Of the price.")] = "USD",
    gallery: Annotated[
        bool, typer.Option("--gallery/--no-gallery", help="Test pictures in the report.")
    ] = True,
) -> None:
    """Write the report (HTML, Markdown, JSON) from the records; several folders become one."""
    from analysis.settings import Settings
    from fer_tune.cli.reporting import show_report

    settings = Settings(
        smallest_effect=smallest_effect,
        failed_share=failed_share,
        price_per_hour=price_per_hour,
        currency=currency,
        gallery=gallery,
    )
    show_report(results, out, settings)


@app.command()
def rank(
    results: Folders,
    smallest_effect: SmallestEffect = 0.01,
    failed_share: FailedShare = 0.2,
    as_json: AsJson = False,
) -> None:
    """Print the verdict and the arms from best to worst."""
    from analysis.settings import Settings
    from fer_tune.cli.reporting import rank as show

    settings = Settings(smallest_effect=smallest_effect, failed_share=failed_share)
    show(results, settings, as_json=as_json)


@app.command()
def compare(
    first: Annotated[str, typer.Argument(help="Results folder A, or its URL.")],
    second: Annotated[str, typer.Argument(help="Results folder B, or its URL.")],
    smallest_effect: SmallestEffect = 0.01,
    failed_share: FailedShare = 0.2,
    as_json: AsJson = False,
) -> None:
    """Print what two searches did differently, and what it changed for each arm."""
    from analysis.settings import Settings
    from fer_tune.cli.reporting import compare as show

    settings = Settings(smallest_effect=smallest_effect, failed_share=failed_share)
    show(first, second, settings, as_json=as_json)


remote.register(app)


@app.command()
def doctor(
    ray: Annotated[
        bool, typer.Option("--ray", help="Also start a small Ray, use it and stop it.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    gpu: Annotated[
        bool, typer.Option("--gpu", help="Try a GPU out instead, in some five minutes.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Where --gpu leaves its search and report.")
    ] = None,
) -> None:
    """Check what a search needs on this machine, and say how to mend what is missing."""
    if gpu:
        if ray or as_json:
            raise UserError("--gpu goes with --out alone", remedy="Run `fer-tune doctor` twice")
        from rich.console import Console

        from fer_tune.cli.smoke import smoke

        raise typer.Exit(smoke(out, Console()))
    if out is not None:
        raise UserError("--out goes with --gpu alone", remedy="Leave it out, or add --gpu")
    from fer_tune.cli.doctor import examine

    raise typer.Exit(examine(ray=ray, as_json=as_json))


@app.command()
def version() -> None:
    """Print the version."""
    from fer_tune import __version__

    typer.echo(__version__)


def _options(
    address: str | None,
    cpus: int | None,
    bank: Path | None,
    dashboard: bool,
    quiet: bool,
    verbose: bool,
) -> SearchOptions:
    from fer_tune.tuning.options import SearchOptions

    if quiet and verbose:
        raise UserError("--quiet and --verbose exclude each other", remedy="Give one of them")
    if cpus is not None and cpus < 1:
        raise UserError(
            "must be at least 1", where="--cpus", value=cpus, remedy="Leave it out for all"
        )
    return SearchOptions(
        address=address,
        cpus=cpus,
        bank=bank,
        dashboard=dashboard,
        verbosity="quiet" if quiet else "verbose" if verbose else "normal",
    )
