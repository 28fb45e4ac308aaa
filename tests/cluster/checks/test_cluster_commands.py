"""Shell commands, read as far as the check of cluster files needs."""

from __future__ import annotations

import pytest

from fer_tune.cluster.checks.commands import parse


@pytest.mark.parametrize(
    "command",
    [
        "A=1 ray start --head --port=6379",
        "ulimit -n 65536; A=1 ray start --head --port 6379",
        "export A=1 && ~/env/bin/ray start --port=6379 --head",
        "export A=1\nray start \\\n  --head \\\n  --port=6379\n",
        "(env A=1 ray start --head --port='6379') || true",
        'P=6379; A="1" nohup ray start --head --port=$P &',
        "A=0 true; A=1 ray start --head --port=${P} --port=6379",
    ],
)
def test_a_start_is_found_with_its_options_and_environment(command: str) -> None:
    (start,) = (simple for simple in parse(command) if simple.starts_ray())
    assert start.environment["A"] == "1"
    assert start.options() == {"head": "", "port": "6379"}


@pytest.mark.parametrize("command", ["A=1; ray start", "A=1 true; ray start", "ray start A=1"])
def test_what_is_not_exported_does_not_reach_ray(command: str) -> None:
    (start,) = (simple for simple in parse(command) if simple.starts_ray())
    assert start.environment == {} and start.options() == {}


@pytest.mark.parametrize("command", ["ray stop", "echo 'ray start'", "ray", "", "start ray"])
def test_nothing_else_starts_ray(command: str) -> None:
    assert not any(simple.starts_ray() for simple in parse(command))


def test_variables_of_the_line_are_put_in_and_others_left() -> None:
    (clone,) = parse("SOURCE=u VERSION=v1; git clone --branch $VERSION ${SOURCE} $HOME/x")
    assert clone.words == ("git", "clone", "--branch", "v1", "u", "$HOME/x")


def test_a_quotation_that_does_not_end_is_told() -> None:
    with pytest.raises(ValueError, match="No closing quotation"):
        parse("echo 'a")
