"""``fer-tune`` in the process of a test: the real command without a start of Python and torch."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout

import pytest

import fer_tune.cli
from tests.command_line import Outcome
from tests.lean_ray import lean_ray


def fer_tune_here(
    *words: object, main: Callable[[], object] = fer_tune.cli.main, **environment: str
) -> Outcome:
    """Runs ``fer-tune WORDS``; a search among them starts and stops a lean Ray of its own.

    Args:
        main: that takes the place of ``fer-tune``.
        environment: variables besides this process's.
    """
    from fer_tune.cli import searching

    out, err = io.StringIO(), io.StringIO()
    with (
        lean_ray(),
        pytest.MonkeyPatch.context() as patch,
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        patch.setattr(sys, "argv", ["fer-tune", *map(str, words)])
        patch.setattr(searching, "BEGAN", time.time())  # not when this process began
        for name, value in {"COLUMNS": "100", **environment}.items():
            patch.setenv(name, value)
        with pytest.raises(SystemExit) as ended:
            main()
    return Outcome(int(ended.value.code or 0), out.getvalue(), err.getvalue())


def refused_here(*words: object, **environment: str) -> Outcome:
    """The same of a command that must not get as far as to start Ray."""
    import ray

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ray, "init", lambda **options: pytest.fail("Ray was started"))
        return fer_tune_here(*words, **{"COLUMNS": "400", **environment})
