"""`fer-tune doctor`: what is missing on this machine, and how to fix it."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from functools import partial

from rich.console import Console
from rich.text import Text

from fer_tune.cli.doctor import folders, machine
from fer_tune.cli.doctor.checks import Check, State
from fer_tune.console import say, styled

Look = Callable[[], Iterator[Check]]

_STYLES = {State.OK: "green", State.WARNING: "yellow", State.MISSING: "bold red"}
_INDENT = 2 + len(State.MISSING) + 2
_NAMES = 24  # width of the column, so that a line can be printed before the next is known


def examine(*, ray: bool = False, as_json: bool = False) -> int:
    """Prints all checks by section, with remedies.

    Args:
        ray: also start a small Ray, use it and stop it.
        as_json: print one JSON object at the end instead of text.

    Returns:
        The exit code: 0 when nothing is missing, else 1.
    """
    console = Console()
    shown: list[tuple[str, Check]] = []
    for title, looks in _sections(ray).items():
        if not as_json:
            say(console, styled(title, style="bold"))
        for name, look in looks.items():
            for check in checked_safely(name, look):
                shown.append((title, check))
                if not as_json:
                    say(console, line(check, console.width))
    states = [check.state for _, check in shown]
    missing, warned = states.count(State.MISSING), states.count(State.WARNING)
    if as_json:
        rows = [{"section": title, **asdict(check)} for title, check in shown]
        print(json.dumps({"missing": missing, "warnings": warned, "checks": rows}, indent=2))
    else:
        say(console, summary(missing, warned, asked_ray=ray), wrap=True)
    return 1 if missing else 0


def _sections(ray: bool) -> Mapping[str, Mapping[str, Look]]:
    """Every check by title and name; the name is shown when the check itself fails."""
    backbones = ("densenet161", "resnet152")
    starting = {"starting Ray": machine.starting_ray} if ray else {}
    return {
        "Python and libraries": {
            "libraries": machine.libraries,
            "torch with torchvision": machine.torch_pair,
        },
        "Computing": {
            "accelerators": machine.accelerators,
            "CPUs": machine.cpus,
            "memory": machine.memory,
            "open files": machine.descriptors,
            "shared memory": machine.shared_memory,
        },
        "Disk": {
            "results folder": folders.results,
            "feature bank": folders.bank,
            "disk of the bank": folders.bank_disk,
            "disk of Ray's files": folders.ray_disk,
        },
        "Pretrained weights": {
            f"weights of {name}": partial(machine.weights, name) for name in backbones
        },
        "Ray": {"running Ray": machine.ray_address, **starting},
    }


def checked_safely(name: str, look: Look) -> Iterator[Check]:
    """The checks of ``look``; one that fails to run counts as missing, with the reason."""
    try:
        yield from look()
    except OSError as error:
        state = f"{error.filename} exists and can be read" if error.filename else "it works"
        yield _unchecked(name, error, f"Make sure that {state}, then run `fer-tune doctor` again")
    except (ImportError, RuntimeError) as error:  # of a torch or torchvision that does not load
        yield _unchecked(name, error, "Fix the libraries above, then run `fer-tune doctor` again")


def _unchecked(name: str, error: Exception, remedy: str) -> Check:
    reason = (str(error) or type(error).__name__).splitlines()[0]
    return Check(
        name=name, state=State.MISSING, found=f"could not be checked: {reason}", remedy=remedy
    )


def line(check: Check, width: int) -> Text:
    """A check as text: state, name, what was found, and below it what to do.

    Lines break only between words, so that paths and commands can be copied.
    """
    column = _INDENT + _NAMES
    head = f"  {check.state:<7}  {check.name:<{_NAMES - 1}} "
    text = _wrapped(head, check.found, column, width)
    if check.remedy:
        text += "\n" + _wrapped(" " * _INDENT, f"{check.remedy}.", _INDENT, width)
    rows = [styled(row) for row in text.split("\n")]
    rows[0].stylize(_STYLES[check.state], 2, 2 + len(check.state))
    return Text("\n").join(rows)


def _wrapped(head: str, body: str, column: int, width: int) -> str:
    return textwrap.fill(
        body,
        max(width, column + 20),
        initial_indent=head,
        subsequent_indent=" " * column,
        break_long_words=False,
        break_on_hyphens=False,
    )


def summary(missing: int, warned: int, *, asked_ray: bool) -> str:
    """The last line: counts, and what was not checked."""
    warnings = f"{warned} warning{'' if warned == 1 else 's'}"
    counted = f"{missing} missing, {warnings}." if missing else f"Nothing is missing, {warnings}."
    return counted if asked_ray else f"{counted} Starting Ray was not tested; `--ray` does that."
