"""What a failed trial says, and what a disk that refuses means for the search."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from ray.tune.experiment import Trial

from fer_tune.errors import ResultsError
from fer_tune.storage import Place

#: Kinds of OSError that no disk raises.
NOT_OF_THE_DISK = (ConnectionError, TimeoutError)
_REFUSAL = re.compile(
    r"^(?:OS|Permission|FileNotFound|NotADirectory|IO)Error: \[Errno (\d+)\] (.+?)(?:: '(.+)')?$",
    re.MULTILINE,
)


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One line for the table, and the whole traceback."""

    line: str
    text: str


def fault_of(trial: Trial) -> Fault:
    """The fault of a trial that Ray has given up."""
    error_file = trial.error_file
    if not error_file or not Path(error_file).is_file():
        return Fault(line="no traceback was left", text="")
    text = Path(error_file).read_text(encoding="utf-8", errors="replace")
    text = re.sub(r"\x1b\[[0-9;]*m", "", text)  # Ray's colours
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return Fault(line=lines[-1] if lines else "empty traceback", text=text)


def disk_error(error: BaseException) -> OSError | None:
    """The disk's refusal behind ``error``, if there is one.

    Ray turns what its callbacks raise into the text of a traceback.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and not isinstance(cause, NOT_OF_THE_DISK):
            return cause
        found = _REFUSAL.findall(str(cause))
        if found:
            number, text, path = found[-1]
            return OSError(int(number), text, path or None)
        cause = cause.__cause__ or cause.__context__
    return None


def disk_fault(error: OSError, folder: Place) -> ResultsError:
    """The disk under the results folder refused a write."""
    return ResultsError(
        f"cannot write: {error.strerror or error}",
        where=str(folder),
        remedy=f"Mend that, then go on with: fer-tune resume {shlex.quote(str(folder))}",
    )
