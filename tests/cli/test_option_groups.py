"""A group of options stands in a command's signature in the place of one parameter."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path

import pytest

from fer_tune.cli import app, remote
from fer_tune.cli.option_groups import Where, grouped, search_options, thresholds
from fer_tune.errors import UserError


def pair(first: int = 1, second: int = 2) -> tuple[int, int]:
    return first, second


def test_a_command_gets_what_the_group_is_made_into() -> None:
    seen: list[object] = []

    @grouped("both", pair)
    def command(name: str, *, both: tuple[int, int], last: bool = False) -> None:
        seen.append((name, both, last))

    assert list(inspect.signature(command).parameters) == ["name", "first", "second", "last"]
    command(name="x", first=3, second=4, last=True)
    assert seen == [("x", (3, 4), True)]


@pytest.mark.parametrize(
    ("commands", "build"),
    [
        ((app.search, app.resume, app.confirm), search_options),
        ((app.report, app.rank, app.compare), thresholds),
    ],
)
def test_commands_share_every_option_of_their_group(
    commands: tuple[Callable[..., None], ...], build: Callable[..., object]
) -> None:
    group = inspect.signature(build, eval_str=True).parameters
    for command in commands:
        own = inspect.signature(command).parameters
        for name, option in group.items():
            assert own[name].default == option.default
            assert vars(own[name].annotation.__metadata__[0]) == vars(
                option.annotation.__metadata__[0]
            )


def test_a_cluster_is_named_alike_everywhere() -> None:
    assert Where() == Where(cluster=None, address=None, send_token=False)
    assert remote.Where is Where


def test_options_that_make_no_sense_are_errors() -> None:
    with pytest.raises(UserError, match="cannot be combined"):
        search_options(quiet=True, verbose=True)
    with pytest.raises(UserError, match="--cpus: must be at least 1"):
        search_options(cpus=0)
    assert search_options(bank=Path("b"), verbose=True).verbosity == "verbose"
