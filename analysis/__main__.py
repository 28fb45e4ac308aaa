"""``python -m analysis RESULTS``: the report, on a machine without torch and Ray."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from fer_tune.errors import UserError


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the report, prints its summary and where it stands; 2 for the user's faults."""
    parser = argparse.ArgumentParser(
        prog="python -m analysis", description="Writes the report of a results folder."
    )
    parser.add_argument("results", type=Path, help="the folder that the search printed")
    parser.add_argument("--out", type=Path, help="where to write; by default RESULTS/report")
    options = parser.parse_args(arguments)
    from analysis import write_report
    from analysis.terminal import summary_text

    try:
        paths = write_report(options.results, options.out)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    print(summary_text(json.loads(paths.json.read_text(encoding="utf-8"))))
    print(f"\nReport: {paths.html}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
