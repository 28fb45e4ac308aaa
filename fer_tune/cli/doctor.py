"""`fer-tune doctor`: what is missing on this machine, and how to mend it."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from functools import partial

from rich.console import Console
from rich.text import Text

from fer_tune.cli import machine
from fer_tune.cli.checks import Check, State

Look = Callable[[], Iterator[Check]]

_STYLES = {State.OK: "green", State.WARNING: "yellow", State.MISSING: "bold red"}
_INDENT = 2 + len(State.MISSING) + 2
_NAMES = 24  # width of the column, so that a line can be printed before the next is known


def examine(*, ray: bool = False, as_json: bool = False) -> int:
    """Prints what was found, section by section, and what to do.

    Args:
        ray: also start a small Ray, use it and stop it.
        as_json: print one JSON object at the end instead of text.

    Returns:
        The exit code: 0 when nothing is missing, else 1.
    """
    console = Console()
    told: list[tuple[str, Check]] = []
    for title, looks in _sections(ray).items():
        if not as_json:
            console.print(f"[bold]{title}[/]", highlight=False)
        for name, look in looks.items():
            for check in guarded(name, look):
                told.append((title, check))
                if not as_json:
                    console.print(line(check, console.width), soft_wrap=True)
    states = [check.state for _, check in told]
    missing, warned = states.count(State.MISSING), states.count(State.WARNING)
    if as_json:
        rows = [{"section": title, **asdict(check)} for title, check in told]
        print(json.dumps({"missing": missing, "warnings": warned, "checks": rows}, indent=2))
    else:
        console.print(summary(missing, warned, asked_ray=ray), highlight=False)
    return 1 if missing else 0


def _sections(ray: bool) -> Mapping[str, Mapping[str, Look]]:
    """Every check by title and name; the name is told when the check itself fails."""
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
            "feature bank": machine.bank,
            "disk of the bank": machine.bank_disk,
            "disk of Ray's files": machine.ray_disk,
        },
        "Pretrained weights": {
            f"weights of {name}": partial(machine.weights, name) for name in backbones
        },
        "Ray": {"running Ray": machine.ray_address, **starting},
    }


def guarded(name: str, look: Look) -> Iterator[Check]:
    """The checks of ``look``; one that cannot be made is told as missing, with its reason."""
    try:
        yield from look()
    except OSError as error:
        place = f"{error.filename} is there and can be read" if error.filename else "it is in order"
        yield _unchecked(name, error, f"See that {place}, then run `fer-tune doctor` again")
    except (ImportError, RuntimeError) as error:  # of a torch or torchvision that does not load
        yield _unchecked(name, error, "Mend the libraries above, then run `fer-tune doctor` again")


def _unchecked(name: str, error: Exception, remedy: str) -> Check:
    reason = (str(error) or type(error).__name__).splitlines()[0]
    return Check(
        name=name, state=State.MISSING, found=f"could not be checked: {reason}", remedy=remedy
    )


def line(check: Check, width: int) -> Text:
    """A check as text: state, name, what was found, and below it what to do.

    Lines break between words alone, so that paths and commands can be copied whole.
    """
    column = _INDENT + _NAMES
    head = f"  {check.state:<7}  {check.name:<{_NAMES - 1}} "
    text = _wrapped(head, check.found, column, width)
    if check.remedy:
        text += "\n" + _wrapped(" " * _INDENT, f"{check.remedy}.", _INDENT, width)
    styled = Text(text)
    styled.stylize(_STYLES[check.state], 2, 2 + len(check.state))
    return styled


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
    """The last line: how many, and what was left out."""
    warnings = f"{warned} warning{'' if warned == 1 else 's'}"
    counted = f"{missing} missing, {warnings}." if missing else f"Nothing is missing, {warnings}."
    return counted if asked_ray else f"{counted} Ray was not started; `--ray` tries that too."
