"""The command line. Heavy imports are inside the commands, so that --help is fast."""

from __future__ import annotations

import errno
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fer_tune.errors import UserError

#: Errors of a path as such, which may come from wherever a path is first used.
_OF_PATHS = (errno.EACCES, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOTDIR, errno.EPERM)
#: When the user's command began, approximately.
BEGAN = time.time()
#: A module of our own that is missing is a bug; "" is one without a name.
_OWN = ("fer_tune", "analysis", "search_spaces", "")


def main() -> Any:
    """Entry point of ``fer-tune``: user errors end with their message and exit code 2.

    A missing library is one: `analysis/requirements.txt` leaves out what reading records
    does not need.
    """
    from fer_tune.process import entered

    with entered():
        return _run()


def _run() -> Any:
    from fer_tune.errors import UserError
    from fer_tune.escaping import lines
    from fer_tune.process import ensure_home

    try:
        ensure_home()
        from fer_tune.cli.app import app

        return app()
    except UserError as error:
        shown: UserError = error
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        if library in _OWN:
            raise
        shown = _not_installed(library)
    except OSError as error:
        if error.filename is None or error.errno not in _OF_PATHS:
            raise
        shown = _unusable(error)
    except KeyboardInterrupt:  # while modules are still being imported
        sys.exit(130)
    print(lines(f"fer-tune: {shown}"), file=sys.stderr)
    sys.exit(2)


def _unusable(error: OSError) -> UserError:
    """The message for a path that the user named and that no command could have expected."""
    from fer_tune.errors import UserError, because

    remedy = "Check the path and its permissions"
    return UserError(f"cannot be used: {because(error)}", where=str(error.filename), remedy=remedy)


def _not_installed(library: str) -> UserError:
    from fer_tune.cli.doctor.machine import pip_words
    from fer_tune.errors import EnvironmentFault

    return EnvironmentFault(
        f"this command needs {library}, which is not installed",
        remedy=f"Run `{pip_words()} install -c constraints.txt .` in the folder of fer-tune, or "
        "use another install; `report`, `rank` and `compare` work without",
    )
