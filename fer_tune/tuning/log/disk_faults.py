"""Write errors of the disk or store that holds the results folder."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager

from fer_tune.errors import reporting
from fer_tune.escaping import shell_word
from fer_tune.storage import AnyPath

#: Kinds of OSError that come from a network, not from a disk.
NETWORK_ERRORS = (ConnectionError, TimeoutError)
_REFUSAL = re.compile(
    r"^(?:OS|Permission|FileNotFound|NotADirectory|IO)Error: \[Errno (\d+)\] (.+?)(?:: '(.+)')?$",
    re.MULTILINE,
)


def disk_error(error: BaseException) -> OSError | None:
    """The disk error that caused ``error``, if there is one.

    Ray turns exceptions of callbacks into the text of a traceback.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and not isinstance(cause, NETWORK_ERRORS):
            return cause
        found = _REFUSAL.findall(str(cause))
        if found:
            number, text, path = found[-1]
            return OSError(int(number), text, path or None)
        cause = cause.__cause__ or cause.__context__
    return None


def reporting_disk(
    folder: AnyPath, *, passing: tuple[type[OSError], ...] = ()
) -> AbstractContextManager[None]:
    """Reports that the disk under the results folder, or the store, denied a write.

    Args:
        passing: as of :func:`fer_tune.errors.reporting`.
    """
    remedy = f"Fix that, then resume: fer-tune resume {shell_word(folder)}"
    return reporting("cannot write", folder, remedy, passing=passing)
