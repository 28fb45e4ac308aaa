"""One Markdown table of several models on the test split of one packed dataset.

Run it in fer-tune's own environment, with what `fer-tune evaluate` takes, each with a name::

    python benchmarks/peers/compare.py --data packed \\
        "fer 25.10.3=predictions:fer.csv" "ours, densenet161=RESULTS/models/densenet161"
"""

from __future__ import annotations

import argparse
import sys

from rich.console import Console

from analysis.outputs.evaluation_text import MARKDOWN_HEAD, markdown_row
from fer_tune.cli.models.evaluated import Request, evaluate
from fer_tune.errors import UserError
from fer_tune.escaping import lines


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("models", nargs="+", metavar="NAME=WHAT")
    parser.add_argument("--data", required=True, help="packed dataset")
    given = parser.parse_args()
    rows = []
    for model in given.models:
        name, _, what = model.partition("=")
        if not what:
            parser.error(f"{model!r} is not NAME=WHAT")
        found = evaluate(Request(what=what, data=given.data), Console(stderr=True))
        rows.append(markdown_row(name, found, found["milliseconds_per_picture"]))
    print(lines("\n".join([MARKDOWN_HEAD, *rows])))


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(lines(f"{error}"))
