"""`fer-tune models`: the models that a search kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from fer_tune.cli.models.options import Model
from fer_tune.cli.option_groups import AsJson

if TYPE_CHECKING:
    from fer_tune.models.card import Card

app = typer.Typer(help="List and show the models that a search kept.", no_args_is_help=True)


@app.command("list")
def list_(
    results: Annotated[str, typer.Argument(help="Results folder of a search, or its URL.")],
    as_json: AsJson = False,
) -> None:
    """List the model of every arm with its scores."""
    from rich.console import Console

    from fer_tune.console import plain_table, say
    from fer_tune.escaping import json_text, shell_word
    from fer_tune.serving.finding import arm_models, preferred
    from fer_tune.storage import any_path

    where = any_path(results)
    found = arm_models(where)
    best = preferred(where, found)
    if as_json:
        rows = [
            {"model": str(folder), "preferred": folder == best, **_summary(card)}
            for folder, card in found.items()
        ]
        typer.echo(json_text(rows, indent=2))
        return
    shown = [
        (
            card.arm,
            f"{card.scores.validation_macro_f1:.3f}",
            f"{card.scores.test_macro_f1:.3f}",
            _interval(card),
            f"{card.preprocessing.crop_size} px",
        )
        for card in found.values()
    ]
    headings = ("arm", "validation F1", "test F1", "arm's mean test F1", "crop")
    say(Console(), plain_table(shown, *headings))
    say(Console(), f"models: {where / 'models'}")
    if len(found) > 1:
        say(Console(), f"{best.name} is better on validation, so the results folder stands for it:")
    say(Console(), f"  fer-tune predict {shell_word(where)} PICTURES")


@app.command()
def show(
    model: Model,
    as_json: AsJson = False,
) -> None:
    """Print a model's card."""
    from rich.console import Console

    from fer_tune.console import say
    from fer_tune.escaping import json_text
    from fer_tune.models.card_file import read_card
    from fer_tune.models.card_text import card_markdown
    from fer_tune.serving.finding import model_folder
    from fer_tune.storage import any_path

    folder = model_folder(any_path(model))
    card = read_card(folder)
    if as_json:
        content = {"model": str(folder), **card.model_dump(mode="json")}
        typer.echo(json_text(content, indent=2))
    else:
        say(Console(), *card_markdown(card).rstrip("\n").split("\n"), wrap=True)


def _summary(card: Card) -> dict[str, object]:
    keys = ("arm", "backbone", "classes", "scores", "arm_scores", "trial", "run", "seed", "sha256")
    content = card.model_dump(mode="json")
    return {key: content[key] for key in keys}


def _interval(card: Card) -> str:
    arm = card.arm_scores
    if arm is None:
        return ""
    if arm.low is None or arm.high is None:
        return f"{arm.mean:.3f}"
    return f"{arm.mean:.3f} [{arm.low:.3f}, {arm.high:.3f}]"
