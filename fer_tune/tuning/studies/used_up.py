"""Searches that a budget besides that of trials ends: what is recorded and said of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from fer_tune.errors import Fault, SpaceError
from fer_tune.escaping import shell_word
from fer_tune.tuning.studies.searcher import StudySearcher


def used_up(searcher: StudySearcher) -> dict[str, Any] | None:
    """The manifest's key ``used_up`` of a search that has ended; None where no budget ended it."""
    short = searcher.short()
    if not searcher.left or not short:
        return None
    budget = searcher.space.budget
    return {
        "not_started": searcher.left,
        "planned": budget.trials,
        "round": len(searcher.studies),
        "limits": {
            key: {"limit": getattr(budget, key), "needed": needed} for key, needed in short.items()
        },
    }


def used_up_words(found: Mapping[str, Any], folder: object) -> str:
    """What ended the search, and how to extend it.

    Args:
        found: :func:`used_up`.
    """
    limits = found["limits"]
    needs = " and ".join(
        f"{key} {_shown(key, limit['needed'])} of {_shown(key, limit['limit'])}"
        for key, limit in limits.items()
    )
    extended = [f"--extend {key}={_enough(key, limit['needed'])}" for key, limit in limits.items()]
    command = " ".join([f"fer-tune resume {shell_word(folder)}", *extended])
    return (
        f"Budget used up: {found['not_started']} of {found['planned']} planned trials were not "
        f"started. A further round, one trial for each study, needs {needs}, with what is reserved "
        f"for confirmation: {command}"
    )


def check_starts_any(searcher: StudySearcher) -> None:
    """Checks that an extended search has something to run.

    Raises:
        SpaceError: another budget is used up.
    """
    if searcher.remaining:
        return
    faults = [
        Fault(
            key=key,
            rule="too small for any further trial: a round, one for each study, needs "
            f"{_shown(key, needed)}, with what is reserved for confirmation",
            value=_shown(key, getattr(searcher.space.budget, key)),
            remedy=f"For example --extend {key}={_enough(key, needed)}",
        )
        for key, needed in searcher.short().items()
    ]
    if faults:
        raise SpaceError("--extend", faults)


def _shown(key: str, value: float) -> str:
    return _duration(round(value)) if key == "wall_time" else f"{value:.2f}"


def _enough(key: str, needed: float) -> str:
    """A value of the key a little above ``needed``; a further session takes a moment to start."""
    if key == "wall_time":
        return _duration(60 * math.ceil(needed / 60 + 1))
    return f"{math.floor(100 * needed + 1) / 100:.2f}"


def _duration(seconds: int) -> str:
    """As a search space has it: ``1h30m``."""
    minutes, rest = divmod(seconds, 60)
    parts = zip((*divmod(minutes, 60), rest), "hms", strict=True)
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0s"
