"""``python -m analysis RESULTS``: the report, on a machine without torch and Ray."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from fer_tune.errors import UserError


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the report, prints its summary and where it stands; 2 for the user's faults."""
    options = _parser().parse_args(arguments)
    from analysis import write_report
    from analysis.settings import Settings
    from analysis.terminal import summary_text

    try:
        settings = Settings(
            smallest_effect=options.smallest_effect,
            failed_share=options.failed_share,
            price_per_hour=options.price_per_hour,
            currency=options.currency,
            gallery=options.gallery,
        )
        paths = write_report(options.results, options.out, settings)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    print(summary_text(json.loads(paths.json.read_text(encoding="utf-8"))))
    print(f"\nReport: {paths.html}")
    if paths.explore:
        print(f"Interactive plots: {paths.explore}")
    return 0


def _parser() -> argparse.ArgumentParser:
    from analysis.settings import FAILED_SHARE, SMALLEST_EFFECT

    parser = argparse.ArgumentParser(
        prog="python -m analysis",
        description="Writes the report of a results folder, or of several as one search.",
    )
    parser.add_argument(
        "results",
        nargs="+",
        help="the folder (or URL) that the search printed; or several",
    )
    parser.add_argument(
        "--out",
        help="where to write; by default RESULTS/report, of several FIRST/report-merged",
    )
    parser.add_argument(
        "--smallest-effect",
        type=float,
        default=SMALLEST_EFFECT,
        metavar="F1",
        help="difference of macro-F1 worth having, from 0 to 1; by default %(default)s, one point",
    )
    parser.add_argument(
        "--failed-share",
        type=float,
        default=FAILED_SHARE,
        metavar="SHARE",
        help="share of an arm's trials that may fail; by default %(default)s",
    )
    parser.add_argument(
        "--price-per-hour",
        type=float,
        metavar="PRICE",
        help="of one accelerator (one CPU where there is none): adds prices to the costs",
    )
    parser.add_argument("--currency", default="USD", help="of the price; by default %(default)s")
    parser.add_argument(
        "--gallery",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="whether the report shows test pictures; by default it does",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
