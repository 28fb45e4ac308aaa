"""The command line. Heavy imports stand inside the commands, so that --help answers at once."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fer_tune.errors import UserError

#: When the user's command began, as near as this process can tell.
BEGAN = time.time()
#: A module of our own that is missing is a bug; "" is one without a name.
_OWN = ("fer_tune", "analysis", "search_spaces", "")


def main() -> Any:
    """Entry point of ``fer-tune``: user faults end with their message and exit code 2.

    A library that is not there is one: `analysis/requirements.txt` leaves out what reading records
    does not need.
    """
    from fer_tune.cli.app import app
    from fer_tune.errors import UserError

    try:
        return app()
    except UserError as error:
        fault: UserError = error
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        if library in _OWN:
            raise
        fault = _not_installed(library)
    print(f"fer-tune: {fault}", file=sys.stderr)
    sys.exit(2)


def _not_installed(library: str) -> UserError:
    from fer_tune.cli.machine import pip_words
    from fer_tune.errors import EnvironmentFault

    return EnvironmentFault(
        f"this command needs {library}, which is not installed",
        remedy=f"Run `{pip_words()} install -c constraints.txt .` in the folder of fer-tune, or "
        "use another install; `report`, `rank` and `compare` work without",
    )
