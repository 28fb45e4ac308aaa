"""`fer-tune plan`: the settings of a search for a budget."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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
    row,
    rows,
    simulating,
    verdict_rows,
)

if TYPE_CHECKING:
    from rich.console import Console

    from fer_tune.cli.planning.budgets import SearchBudget
    from fer_tune.cli.planning.choosing import Outlook
    from fer_tune.simulation.forecast import Spread

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
    console = Console(stderr=as_json)
    with simulating(console, "Simulating plans") as simulator:
        spaces = load_with(space, set_ or [])
        planner = Planner(spaces, options.worlds(), options, allowed, simulator)
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
    _show(console, _Asked(space, set_ or [], allowed, options, currency), chosen, others)


@dataclass(frozen=True)
class _Asked:
    """What the user asked for."""

    space: str
    overrides: Sequence[str]
    budget: SearchBudget
    options: Answers
    currency: str

    @property
    def unit(self) -> str:
        """That of the budget, in words."""
        return {"usd": self.currency, "gpuh": "GPU hours", "h": "hours"}[self.budget.unit]

    @property
    def fleet(self) -> str:
        """The machines, in words."""
        options, price = self.options, self.budget.price_per_hour
        parts = ["1 GPU" if options.gpus == 1 else f"{options.gpus} GPUs"]
        if price is not None:
            parts.append(f"{price:g} {self.currency} per GPU and hour")
        if options.spot_loss:
            parts.append(f"each lost {options.spot_loss:g} times per hour")
        if options.autoscale_delay_s:
            parts.append(f"{options.autoscale_delay_s:g} s until one comes")
        return ", ".join(parts)


def _show(console: Console, asked: _Asked, chosen: Outlook, others: dict[str, Outlook]) -> None:
    from fer_tune.console import plain_table, say
    from fer_tune.escaping import shell_word

    expected, options = chosen.forecast, asked.options
    say(
        console,
        f"A plan of {asked.space} for {asked.budget.amount:g} {asked.unit}, confirmation included: "
        f"{asked.fleet}. {expected.runs} simulated searches; curves: {options.source()}.",
        *([_made_up(options)] if options.curves else []),
        "",
        wrap=True,
    )
    sets = [f"--set {shell_word(one)}" for one in (*asked.overrides, *chosen.overrides)]
    command = [f"fer-tune search {shell_word(asked.space)} --data DATA", *sets]
    say(console, " ".join(command), "")
    spent = row(f"spent of {asked.budget.amount:g} {asked.unit}", _spent(asked, chosen), ".2f")
    cut = ("ended early by the budget", f"{chosen.cut:.0%}", "of simulated searches")
    figures = [spent, cut, *_verdict_rows(chosen), *rows(expected, asked.currency)]
    say(console, plain_table(figures, "", "mean", "9 of 10 searches"), "")
    compared = [("this plan", chosen), *others.items()]
    heads = (f"spent, {asked.unit}", "hours", "saved", "best", "better", "conclusive", "stops best")
    table = [_compared(name, look, asked) for name, look in compared]
    say(console, plain_table(table, "", *heads), "")
    say(console, _LEGEND, wrap=True)


_LEGEND = (
    "saved: share of epochs that ASHA and the overfit stopper spare. best: validation value of the "
    "choices, mean over arms. better: share of simulated searches with the verdict better; "
    "conclusive: better or small. stops best: how often ASHA stops the trial that would have been "
    "the best of its arm. Alternatives are this plan with one change, from at most 8 searches, and "
    "not held to the budget (beyond it: *). With few searches small differences are chance; more: "
    "--runs."
)


def _made_up(options: Answers) -> str:
    """What a plan without records cannot know."""
    return (
        f"warning: without records an epoch is taken to last {options.epoch_s:g} s "
        "(--epoch-seconds), on which all hours and prices depend, and the arms differ at random, "
        "so the verdicts say nothing of yours. --from RESULTS, a short search of the same space, "
        "gives both."
    )


def _spent(asked: _Asked, look: Outlook) -> Spread | None:
    """In the budget's unit."""
    expected = look.forecast
    by_unit = {"usd": expected.fleet_price, "gpuh": expected.fleet_hours, "h": expected.hours}
    return by_unit[asked.budget.unit]


def _verdict_rows(look: Outlook) -> Iterator[tuple[str, str, str]]:
    if not look.verdicts:
        return
    yield chance_row("verdict is better (power)", look.power)
    yield chance_row("verdict is better or small", look.conclusive)
    yield from verdict_rows(look.verdicts)


def _compared(name: str, look: Outlook, asked: _Asked) -> tuple[str, ...]:
    expected = look.forecast
    shares = (look.power, look.conclusive, expected.stopped_best)
    over = " *" if look.spent > asked.budget.amount else ""
    return (
        name,
        f"{look.spent:.2f}{over}",
        f"{expected.hours.mean:.2f}",
        f"{expected.saved.mean:.0%}",
        "–" if look.value is None else f"{look.value:.4f}",
        *("–" if chance is None else f"{chance.share:.0%}" for chance in shares),
    )
