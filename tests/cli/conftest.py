from __future__ import annotations

import sys

import pytest

import fer_tune.cli
from tests.command_line import Outcome, Run


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command line in this process."""

    def fer_tune_cli(*words: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["fer-tune", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            fer_tune.cli.main()
        return Outcome(int(ended.value.code or 0), *capsys.readouterr())

    return fer_tune_cli
