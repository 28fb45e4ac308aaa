"""`fer-tune plan`: the settings of a search for a budget."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from fer_tune.cli.option_groups import AsJson, grouped
from fer_tune.cli.planning.answers import Answers, answers
from fer_tune.cli.planning.simulating import (
    Currency,
    Overrides,
    Price,
    Space,
    chance_row,
    rows,
    verdict_rows,
)

if TYPE_CHECKING:
    from rich.console import Console

    from fer_tune.cli.planning.choosing import Outlook

Budget = Annotated[
    str, typer.Option("--budget", help="50usd, 20gpuh or 6h, confirmation included.")
]


def register(app: typer.Typer) -> None:
    """Adds the command to ``app``."""
    app.command()(plan)


@grouped("options", answers)
def plan(
    space: Space,
    budget: Budget,
    set_: Overrides = None,
    *,
    options: Answers,
    price_per_hour: Price = None,
    currency: Currency = "USD",
    as_json: AsJson = False,
) -> None:
    """Choose trials, replicates, epochs, rungs and seeds for a budget, by simulation."""
    from rich.console import Console

    from fer_tune.cli.planning.budgets import parse_budget
    from fer_tune.cli.planning.choosing import Planner, load_with
    from fer_tune.escaping import json_text

    allowed = parse_budget(budget, price_per_hour)
    planner = Planner(load_with(space, set_ or []), options.worlds(), options, allowed)
    console = Console(stderr=as_json)
    with console.status("Simulating plans"):
        chosen = planner.choose()
        others = planner.alternatives(chosen)
    if as_json:
        found = {
            "name": space,
            "space": space,
            "set": set_ or [],
            "budget": allowed.words,
            "curves": options.source(),
            "currency": currency,
            "price_per_hour": price_per_hour,
            "plan": chosen.as_dict(),
            "alternatives": {name: other.as_dict() for name, other in others.items()},
        }
        typer.echo(json_text(found, indent=2, allow_nan=False))
        return
    _show(console, space, allowed.words, chosen, others, currency, options.source())


def _show(
    console: Console,
    space: str,
    budget: str,
    chosen: Outlook,
    others: dict[str, Outlook],
    currency: str,
    source: str,
) -> None:
    from fer_tune.console import plain_table, say

    say(console, f"{space} for {budget}; curves: {source}.", "", wrap=True)
    say(console, *(f"--set {setting}" for setting in chosen.overrides), "")
    figures = [*_verdict_rows(chosen), *rows(chosen.forecast, currency)]
    say(console, plain_table(figures, "", "mean", "9 of 10 searches"), "")
    compared = [("this plan", chosen), *others.items()]
    heads = ("", "hours", "GPU hours", "saved", "best", "better", "conclusive", "stops best")
    say(console, plain_table([_compared(name, look) for name, look in compared], *heads))


def _verdict_rows(look: Outlook) -> Iterator[tuple[str, str, str]]:
    if not look.verdicts:
        return
    yield chance_row("verdict is better (power)", look.power)
    yield chance_row("verdict is better or small", look.conclusive)
    yield from verdict_rows(look.verdicts)


def _compared(name: str, look: Outlook) -> tuple[str, ...]:
    expected = look.forecast
    shares = (look.power, look.conclusive, expected.stopped_best)
    return (
        name,
        f"{expected.hours.mean:.2f}",
        f"{expected.fleet_hours.mean:.2f}",
        f"{expected.saved.mean:.0%}",
        "–" if look.value is None else f"{look.value:.4f}",
        *("–" if chance is None else f"{chance.share:.0%}" for chance in shares),
    )
