"""Exit codes of `search … --or-resume`: what a launcher decides by."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fer_tune.errors import DataError, ResultsError, reporting
from fer_tune.process.signals import TerminatedError
from fer_tune.tuning import rerun
from tests.command_line import Run


@pytest.fixture
def search(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Any]:
    """The command, with an end in place of a search."""

    def ending(end: BaseException, *words: str) -> Any:
        def search_or_resume(*_: Any, **__: Any) -> None:
            raise end

        monkeypatch.setattr(rerun, "search_or_resume", search_or_resume)
        chosen = words or ("--results", str(tmp_path / "r"), "--or-resume")
        return run("search", "cpu_small", "--data", str(tmp_path / "faces"), *chosen)

    return ending


@pytest.mark.parametrize(
    "end",
    [KeyboardInterrupt(), TerminatedError(signal.SIGTERM), TerminatedError(signal.SIGHUP)],
    ids=["Ctrl-C", "SIGTERM", "SIGHUP"],
)
def test_an_interruption_asks_to_be_run_again(
    search: Callable[..., Any], end: BaseException
) -> None:
    done = search(end)
    assert done.code == 75 and "interrupted" in done.out and "Traceback" not in done.err


def test_what_may_pass_by_itself_asks_to_be_run_again(search: Callable[..., Any]) -> None:
    done = search(ResultsError("is in use", where="r", temporary=True))
    assert done.code == 75 and done.err == "fer-tune: r: is in use\n"


def test_an_error_of_the_user_does_not(search: Callable[..., Any]) -> None:
    done = search(DataError("is no dataset", where="faces"))
    assert done.code == 2 and done.err == "fer-tune: faces: is no dataset\n"


def test_a_crash_keeps_its_traceback(search: Callable[..., Any]) -> None:
    with pytest.raises(ZeroDivisionError):
        search(ZeroDivisionError())


def test_it_needs_a_folder_that_is_the_same_every_time(search: Callable[..., Any]) -> None:
    done = search(AssertionError("was called"), "--or-resume")
    assert done.code == 2 and "--or-resume requires --results" in done.err


@pytest.mark.parametrize(("number", "temporary"), [(113, True), (28, False), (13, False)])
def test_an_unavailable_store_is_temporary_and_a_full_disk_is_not(
    number: int, temporary: bool
) -> None:
    with pytest.raises(ResultsError) as raised, reporting("cannot write", "r", "Fix it"):
        raise OSError(number, "reason")
    assert raised.value.temporary is temporary
