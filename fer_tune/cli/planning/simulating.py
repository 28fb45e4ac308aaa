"""`fer-tune simulate`: what a search would do and cost, before it runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fer_tune.cli.models.options import finite
from fer_tune.cli.option_groups import AsJson, grouped
from fer_tune.cli.planning.answers import Answers, answers

if TYPE_CHECKING:
    from rich.console import Console

    from fer_tune.simulation.forecast import Chance, Forecast, Spread
    from fer_tune.simulation.running import Simulator

Space = Annotated[str, typer.Argument(help="A shipped search space's name, or a YAML file.")]
Overrides = Annotated[list[str] | None, typer.Option("--set", help="Override; repeatable.")]
Price = Annotated[
    float | None,
    typer.Option(
        "--price-per-hour",
        min=0,
        max=1e9,
        callback=finite,
        help="Price of one GPU; adds costs.",
    ),
]
Currency = Annotated[str, typer.Option("--currency", help="Currency of the price.")]


def register(app: typer.Typer) -> None:
    """Adds the command to ``app``."""
    app.command()(simulate)


@grouped("options", answers)
def simulate(
    space: Space,
    set_: Overrides = None,
    *,
    options: Answers,
    price_per_hour: Price = None,
    currency: Currency = "USD",
    as_json: AsJson = False,
) -> None:
    """Simulate a search: its duration, cost and best value, and what ASHA stops."""
    from dataclasses import asdict

    from rich.console import Console

    from fer_tune.cli.planning.verdicts import verdict
    from fer_tune.console import plain_table, say
    from fer_tune.escaping import json_text
    from fer_tune.simulation.forecast import forecast
    from fer_tune.simulation.running import jobs
    from fer_tune.space import load

    loaded = load(space, set_ or [])
    world, fleet = options.worlds()(loaded), options.fleet(loaded)
    console = Console(stderr=as_json)
    with simulating(console, "Simulating") as simulator:
        found = simulator.run(jobs(loaded, world, fleet, runs=options.runs, seed=options.seed))
    expected = forecast(found, price_per_hour=price_per_hour)
    kinds = [kind for search in found if (kind := verdict(search)) is not None]
    counts = {kind: kinds.count(kind) for kind in sorted(set(kinds))}
    if as_json:
        what = {
            "name": loaded.name,
            "space": space,
            "set": set_ or [],
            "curves": options.source(),
            "fleet": asdict(fleet),
            "currency": currency,
            "price_per_hour": price_per_hour,
            "verdicts": counts,
        }
        typer.echo(json_text({**what, **asdict(expected)}, indent=2))
        return
    head = f"{loaded.name}: {expected.runs} simulated searches; curves: {options.source()}."
    say(console, head, wrap=True)
    shown = [*verdict_rows(counts), *rows(expected, currency)]
    say(console, plain_table(shown, "", "mean", "9 of 10 searches"))


@contextmanager
def simulating(console: Console, what: str) -> Iterator[Simulator]:
    """A simulator, and a line on a terminal that counts its searches."""
    from fer_tune.simulation.running import Simulator

    with console.status(f"{what} …") as status:
        yield Simulator(on_end=lambda ended: status.update(f"{what}: {ended} searches"))


def verdict_rows(counts: Mapping[Any, int]) -> Iterator[tuple[str, str, str]]:
    """A row of the simulated verdicts; none for a single arm."""
    if counts:
        found = ", ".join(f"{kind} {count}" for kind, count in counts.items())
        yield "simulated verdicts", found, ""


def rows(expected: Forecast, currency: str = "USD") -> Iterator[tuple[str, str, str]]:
    """(label, mean, interval) of the figures, in the order of reading."""
    for end, spread in expected.ends.items():
        if spread.high or spread.mean:
            yield row(f"trials: {end}", spread, ".1f")
    yield row("epochs", expected.epochs, ".0f")
    yield row("epochs saved", expected.saved, ".0%")
    yield row("hours", expected.hours, ".2f")
    yield row("hours of confirmation", expected.confirm_hours, ".2f")
    yield row("hours to 95 % of the best", expected.nearly_hours, ".2f")
    yield row("accelerator hours, held", expected.accelerator_hours, ".2f")
    if expected.lost_hours.high >= 0.005:
        yield row("accelerator hours, lost", expected.lost_hours, ".2f")
    yield row("accelerator hours, fleet", expected.fleet_hours, ".2f")
    if expected.price is not None:
        yield row(f"{currency}, held", expected.price, ".2f")
        yield row(f"{currency}, fleet", expected.fleet_price, ".2f")
    yield row("utilisation", expected.utilisation, ".0%")
    if expected.losses.high:
        yield row("machines lost", expected.losses, ".1f")
    for arm, best in expected.best.items():
        yield row(f"best value of {arm}", best, ".4f")
    yield row("better without stopping, by", expected.regret, ".4f")
    yield chance_row("ASHA stops the best trial", expected.stopped_best)


def row(label: str, spread: Spread | None, form: str) -> tuple[str, str, str]:
    """A row of a figure and its interval."""
    if spread is None:
        return label, "–", ""
    return label, f"{spread.mean:{form}}", f"{spread.low:{form}} – {spread.high:{form}}"


def chance_row(label: str, chance: Chance | None) -> tuple[str, str, str]:
    """A row of a chance and its interval."""
    if chance is None:
        return label, "–", ""
    return label, f"{chance.share:.0%}", f"{chance.low:.0%} – {chance.high:.0%} (95 % interval)"
