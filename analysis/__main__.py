"""``python -m analysis RESULTS``: the report, on a machine without torch and Ray."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from fer_tune.errors import UserError
from fer_tune.escaping import lines, one_line
from fer_tune.process import entered


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the report, prints its summary and its paths; returns 2 on a user's error."""
    options = _parser().parse_args(arguments)
    from analysis import write_report
    from analysis.outputs.terminal import summary_text
    from analysis.report.reading import read_report
    from analysis.settings import Settings

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
        print(lines(error), file=sys.stderr)
        return 2
    print(lines(summary_text(read_report(paths.json, shown=True))))
    print(f"\nReport: {one_line(paths.html)}")
    if paths.explore:
        print(f"Interactive plots: {one_line(paths.explore)}")
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
        help="results folder or URL; several are reported as one search",
    )
    parser.add_argument(
        "--out",
        help="output folder; default RESULTS/report, of several FIRST/report-merged",
    )
    parser.add_argument(
        "--smallest-effect",
        type=float,
        default=SMALLEST_EFFECT,
        metavar="F1",
        help="smallest difference of macro-F1 that matters, 0 to 1; default %(default)s, one point",
    )
    parser.add_argument(
        "--failed-share",
        type=float,
        default=FAILED_SHARE,
        metavar="SHARE",
        help="largest share of an arm's trials that may fail; default %(default)s",
    )
    parser.add_argument(
        "--price-per-hour",
        type=float,
        metavar="PRICE",
        help="price of one accelerator (or one CPU) per hour; adds prices to the costs",
    )
    parser.add_argument(
        "--currency", default="USD", help="currency of the price; default %(default)s"
    )
    parser.add_argument(
        "--gallery",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="show test pictures; default yes",
    )
    return parser


if __name__ == "__main__":
    with entered():
        sys.exit(main())
