"""Simulates the verdict and prints its error rates as Markdown tables.

    python -m benchmarks.verdict_simulation --searches 5000 --whole 200
    python -m benchmarks.verdict_simulation --quick
    python -m benchmarks.verdict_simulation --examples FOLDER

One process. The same numbers come of the same options; ``--part`` runs one of the parts alone,
with the numbers that it has in the whole.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import numpy as np

from benchmarks.verdict_simulation import hazards, judged, tables, verdicts
from benchmarks.verdict_simulation.folders import write_search

SEED = 2026
PARTS = ("arrays", "hazards", "whole", "shared")
#: Of the other estimators, in searches per one of the arrays.
_SHIFTS = (0.25, 0.5)


def arrays(searches: int) -> None:
    """Level 1: the headline and its verdicts."""
    cells = [
        verdicts.simulate(setting, searches, np.random.default_rng([SEED, 0, number]))
        for number, setting in enumerate(verdicts.settings())
    ]
    _told("Zero excluded between identical arms, %", tables.false_positives(cells))
    _told("Interval holds the difference of the whole procedure, %", tables.coverage(cells))
    _told("Interval holds the difference of the two found, %", tables.coverage_found(cells))
    _told("Verdicts, %: better / better, wrong arm / small / inconclusive", tables.verdicts(cells))
    _told("What a study ends with, by its trials (points)", tables.searches(cells))


def other_estimators(comparisons: int) -> None:
    """What other estimators find between arms without a difference."""
    rng = np.random.default_rng([SEED, 1])
    _told("Five seeds, %", tables.over_seeds(hazards.over_seeds(comparisons, rng)))
    found = [(s, hazards.checkpoints(comparisons, s, rng)) for s in verdicts.SEED_SPREADS]
    _told("Checkpoints, %", tables.checkpoints(found))
    families = next(d for d in verdicts.DESIGNS if d.studies == 5)
    suiting = []
    for luck in verdicts.LUCK:
        setting = verdicts.Setting(design=families, luck=luck, seed_spread=0.6)
        for shift in _SHIFTS:
            rates = verdicts.suiting_pictures(setting, shift, comparisons, rng)
            suiting.append((luck, shift, rates))
    _told("Pictures that suit one arm, %", tables.suiting(suiting))


def whole(searches: int) -> None:
    """Level 2: whole searches through the real pieces; the others in proportion to A/A."""
    summaries = []
    for scenario in judged.SCENARIOS:
        wanted = max(3, round(searches * scenario.searches / judged.AA.searches))
        found = list(judged.outcomes(scenario, wanted))
        summaries.append(judged.Summary.of(scenario, found))
    _told("Whole searches", tables.whole(summaries))


def shared(studies: int) -> None:
    """Level 2: one study for both arms."""
    _told("One study for two identical arms, %", tables.shared(judged.shared_studies(studies)))


def examples(folder: Path) -> None:
    """Writes the first A/A and the first planted search for good, as ``aa`` and ``planted``."""
    for name, scenario in (("aa", judged.AA), ("planted", judged.PLANTED)):
        target = folder / name
        if target.exists():
            shutil.rmtree(target)
        print(write_search(scenario.space(0), target))


def _told(title: str, table: str) -> None:
    print(f"**{title}**\n\n{table}\n", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.verdict_simulation", description=__doc__.split("\n")[0]
    )
    parser.add_argument(
        "--searches", type=int, default=5000, help="per setting, in arrays; a multiple of 50"
    )
    parser.add_argument("--whole", type=int, default=200, help="whole A/A searches")
    parser.add_argument("--quick", action="store_true", help="few of everything: a minute or two")
    parser.add_argument("--part", choices=PARTS, help="this part alone")
    parser.add_argument("--examples", type=Path, help="write two results folders, simulate nothing")
    given = parser.parse_args()
    if given.examples is not None:
        examples(given.examples)
        return
    searches, number = (100, 4) if given.quick else (given.searches, given.whole)
    parts = {
        "arrays": lambda: arrays(searches),
        "hazards": lambda: other_estimators(max(100, searches * 2 // 5 // 50 * 50)),
        "whole": lambda: whole(number),
        "shared": lambda: shared(max(3, number // 2)),
    }
    for part in PARTS:
        if given.part in (None, part):
            parts[part]()


if __name__ == "__main__":
    main()
