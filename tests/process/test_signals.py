"""Signals as exceptions: what is open is closed, what is ignored stays ignored."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from fer_tune.process.signals import TerminatedError, ending, signals_deferred
from fer_tune.tuning.raytune.interruption import Interruption

ROOT = Path(__file__).resolve().parents[2]


def send(number: int) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_process_through_every_finally(number: signal.Signals) -> None:
    cleaned = []
    before = signal.getsignal(number)
    with pytest.raises(SystemExit) as ended, ending():
        try:
            send(number)
        finally:
            send(number)  # a closed terminal sends it twice: the cleanup is not interrupted
            cleaned.append(number)
    assert ended.value.code == 128 + number and cleaned == [number]
    assert signal.getsignal(number) is before


def test_a_signal_waits_until_it_does_no_harm() -> None:
    done = []
    with pytest.raises(TerminatedError), ending(), signals_deferred():
        send(signal.SIGTERM)
        done.append("whole")
    assert done == ["whole"]


def test_signals_that_wait_are_heard_as_they_arrive() -> None:
    heard = []
    with (
        pytest.raises(TerminatedError) as ended,
        ending(),
        signals_deferred(lambda number, count: heard.append((number, count))),
    ):
        send(signal.SIGTERM)
        send(signal.SIGHUP)
    assert heard == [(signal.SIGTERM, 1), (signal.SIGHUP, 2)]
    assert ended.value.code == 128 + signal.SIGTERM


def test_nohup_is_respected() -> None:
    earlier = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        interruption = Interruption(Console(quiet=True))
        with ending(), interruption.listening():
            send(signal.SIGHUP)
        assert not interruption._requested
    finally:
        signal.signal(signal.SIGHUP, earlier)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_ignored_signal_stays_ignored(number: signal.Signals) -> None:
    """A shell that is not interactive starts ``COMMAND &`` with SIGINT ignored."""
    earlier = signal.signal(number, signal.SIG_IGN)
    try:
        interruption = Interruption(Console(quiet=True))
        with ending(), signals_deferred(), interruption.listening():
            send(number)
        assert not interruption._requested
        assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, earlier)


def test_a_handler_that_is_not_pythons_is_left_alone() -> None:
    """A host program installed it before Python started, which knows such a one as None."""
    code = (
        "import faulthandler, os, signal, sys\n"
        "faulthandler.register(signal.SIGTERM)\n"
        "del sys.modules['_signal']\n"
        "import _signal  # reads the handlers of the process again, as when Python starts\n"
        "assert signal.getsignal(signal.SIGTERM) is None\n"
        "from fer_tune.process.signals import ending, signals_deferred\n"
        "with ending(), signals_deferred():\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "assert signal.getsignal(signal.SIGTERM) is None\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("most recent call first") == 1, "the host's handler got the signal"


def test_a_closed_terminal_asks_a_search_to_end_once() -> None:
    """The kernel and the shell both send SIGHUP, and systemd sends it after SIGTERM."""
    interruption = Interruption(Console(quiet=True))
    with interruption.listening():
        send(signal.SIGTERM)
        send(signal.SIGHUP)
        send(signal.SIGHUP)
        assert interruption._requested
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGINT)


def test_a_search_that_has_been_asked_to_end_does_so_undisturbed() -> None:
    interruption = Interruption(Console(quiet=True))
    with ending():
        with interruption.listening():
            send(signal.SIGHUP)
        send(signal.SIGHUP)  # the second one comes while the search is being closed


def test_ctrl_c_before_the_command_has_begun_is_no_traceback(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys\n"
        "class Interrupts:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'fer_tune.cli.app':\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupts())\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "import fer_tune.cli\n"
        "sys.argv = ['fer-tune', 'version']\n"
        "fer_tune.cli.main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert (done.returncode, done.stderr) == (130, "")
