"""The error of a failed trial."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ray.exceptions import ActorDiedError
from ray.tune.experiment import Trial

from fer_tune.process.memory_kills import MemoryKills
from fer_tune.storage.secrets import masked

#: How Ray words what its memory monitor did.
_LOW_MEMORY = "due to the node running low on memory"
_KILLED = "Ray's memory monitor killed the process, as the machine ran low on memory"
#: What Ray writes above each failure of a trial.
_FAILURE = re.compile(r"^Failure # \d+ \(occurred at .*\)$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Failure:
    """One line for the table, and the full traceback."""

    line: str
    text: str

    @property
    def last(self) -> str:
        """The text of the last failure alone; the trial may have been restarted before."""
        return _FAILURE.split(self.text)[-1].strip()


def failure_of(trial: Trial) -> Failure:
    """The error of a trial that Ray has given up."""
    error_file = trial.error_file
    if not error_file or not Path(error_file).is_file():
        return Failure(line="no traceback found", text="")
    text = Path(error_file).read_text(encoding="utf-8", errors="replace")
    text = masked(re.sub(r"\x1b\[[0-9;]*m", "", text))  # without Ray's colours
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    line = lines[-1] if lines else "empty traceback"
    return Failure(line=_KILLED if _LOW_MEMORY in line else line, text=text)


def by_memory_monitor(failure: Failure) -> bool:
    """Whether Ray's memory monitor killed the process, before the system would have."""
    return _LOW_MEMORY in failure.last


def out_of_memory(failure: Failure, kills: MemoryKills) -> bool:
    """Whether the trial's process was killed as its machine, or its container, had no memory left.

    Args:
        kills: by the system, on this machine; those on others are not known.
    """
    died = failure.last.startswith(ActorDiedError.BASE_ERROR_MSG)
    return by_memory_monitor(failure) or (died and kills.recent())
