"""The error of a failed trial."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ray.tune.experiment import Trial

from fer_tune.storage.secrets import masked


@dataclass(frozen=True, kw_only=True)
class Failure:
    """One line for the table, and the full traceback."""

    line: str
    text: str


def failure_of(trial: Trial) -> Failure:
    """The error of a trial that Ray has given up."""
    error_file = trial.error_file
    if not error_file or not Path(error_file).is_file():
        return Failure(line="no traceback found", text="")
    text = Path(error_file).read_text(encoding="utf-8", errors="replace")
    text = masked(re.sub(r"\x1b\[[0-9;]*m", "", text))  # without Ray's colours
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return Failure(line=lines[-1] if lines else "empty traceback", text=text)
