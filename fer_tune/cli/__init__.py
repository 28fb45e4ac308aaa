"""The command line. Heavy imports stand inside the commands, so that --help answers at once."""

from __future__ import annotations

import sys
import time
from typing import Any

#: When the user's command began, as near as this process can tell.
BEGAN = time.time()


def main() -> Any:
    """Entry point of ``fer-tune``: user faults end with their message and exit code 2."""
    from fer_tune.cli.app import app
    from fer_tune.errors import UserError

    try:
        return app()
    except UserError as error:
        print(f"fer-tune: {error}", file=sys.stderr)
        sys.exit(2)
