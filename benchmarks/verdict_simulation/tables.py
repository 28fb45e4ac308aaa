"""Markdown tables of what was simulated; rates in per cent, with Monte-Carlo standard errors."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchmarks.verdict_simulation.hazards import Found
from benchmarks.verdict_simulation.judged import Shared, Summary
from benchmarks.verdict_simulation.verdicts import DESIGNS, EFFECTS, Cell, Rates, rate

_KINDS = ("small", "inconclusive", "not comparable")


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table, its first row the heading."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def percent(value: float, error: float) -> str:
    return f"{100 * value:.1f} ± {100 * error:.1f}"


def proportion(share: float, n: int) -> str:
    """A share of ``n`` independent searches with its binomial standard error."""
    return percent(share, (share * (1 - share) / n) ** 0.5)


# -- level 1 --------------------------------------------------------------------------------


def false_positives(cells: Sequence[Cell]) -> str:
    """How often zero is excluded between identical arms."""
    return _by_design(cells, lambda cell: percent(*rate(cell.rates[0.0]["excluded"])))


def coverage(cells: Sequence[Cell]) -> str:
    """How often the interval holds the difference of the whole procedure, of different arms."""
    return _by_design(cells, lambda cell: percent(*rate(cell.rates[1.0]["covered"])))


def coverage_found(cells: Sequence[Cell]) -> str:
    """How often the interval over the seeds of single studies holds the difference of the two."""
    single = [cell for cell in cells if cell.setting.design.studies == 1]
    return _by_design(single, lambda cell: percent(*rate(cell.rates[1.0]["covered_found"])))


def verdicts(cells: Sequence[Cell]) -> str:
    """``better`` for the better arm / for the other / ``small`` / ``inconclusive``."""
    names = ("better", "wrong", "small", "inconclusive")

    def cell_text(effect: float) -> Callable[[Cell], str]:
        return lambda cell: " / ".join(f"{100 * cell.rates[effect][n].mean():.0f}" for n in names)

    tables = [_rows(cells, cell_text(effect), f"{effect:.0f}") for effect in EFFECTS]
    rows = [row for group in zip(*tables, strict=True) for row in group]
    return markdown(["true difference", *_head(cells)], rows)


def searches(cells: Sequence[Cell]) -> str:
    """What becomes of a study by the number of its trials; in points."""
    rows, seen = [], set()
    for cell in cells:
        setting = cell.setting
        key = (setting.luck, setting.seed_spread, setting.design.trials)
        if setting.seed_spread != 0.6 or key in seen:
            continue
        seen.add(key)
        figures = [100 * value for value in (cell.luck, cell.level, cell.optimism)]
        rows.append(
            [setting.luck, str(setting.design.trials)]
            + [f"{value:.2f}" for value in figures]
            + [f"{100 * cell.stopped:.0f}"]
        )
    head = ["search luck", "trials", "spread of studies", "test score", "optimism", "stopped, %"]
    return markdown(head, rows)


def _by_design(cells: Sequence[Cell], cell_text: Callable[[Cell], str]) -> str:
    return markdown(_head(cells), _rows(cells, cell_text))


def _designs(cells: Sequence[Cell]) -> list[str]:
    present = {cell.setting.design for cell in cells}
    return [design.name for design in DESIGNS if design in present]


def _head(cells: Sequence[Cell]) -> list[str]:
    return ["search luck", "seed spread", *_designs(cells)]


def _rows(cells: Sequence[Cell], cell_text: Callable[[Cell], str], *first: str) -> list[list[str]]:
    """A row per luck and spread, a column per design."""
    found: dict[tuple[str, float], dict[str, str]] = {}
    for cell in cells:
        setting = cell.setting
        row = found.setdefault((setting.luck, setting.seed_spread), {})
        row[setting.design.name] = cell_text(cell)
    return [
        [*first, luck, f"{spread:.1f}", *(row.get(name, "") for name in _designs(cells))]
        for (luck, spread), row in found.items()
    ]


# -- beside the headline --------------------------------------------------------------------


def suiting(found: Sequence[tuple[str, float, Rates]]) -> str:
    """Rates by search luck and shift of one arm on the test split."""
    rows = [
        [luck, f"{shift:.2f}"]
        + [percent(*rate(rates[name])) for name in ("covered", "covered_anywhere")]
        for luck, shift, rates in found
    ]
    head = ["search luck", "shift of one arm", "holds it for this test split", "for all pictures"]
    return markdown(head, rows)


def over_seeds(found: Found) -> str:
    return markdown(list(found), [[percent(*value) for value in found.values()]])


def checkpoints(found: Sequence[tuple[float, Found]]) -> str:
    rows = [
        [f"{spread:.1f}", percent(*rates["McNemar"]), percent(*rates["Welch"])]
        for spread, rates in found
    ]
    head = ["seed spread", "McNemar, one checkpoint each", "Welch, five seeds each"]
    return markdown(head, rows)


# -- level 2 --------------------------------------------------------------------------------


def whole(summaries: Sequence[Summary]) -> str:
    """Whole searches, judged from their folders."""
    rows = []
    for one in summaries:
        n, scenario = one.searches, one.scenario
        better = one.verdicts["better"] / n - one.wrong
        shares = [better, one.wrong, *(one.verdicts[kind] / n for kind in _KINDS)]
        rows.append(
            [
                scenario.name,
                f"R = {scenario.replicates}, K = {scenario.seeds}",
                str(n),
                f"{100 * one.true[0]:.2f} ± {100 * one.true[1]:.2f}",
                proportion(one.excluded, n),
                proportion(one.covered, n),
                " / ".join(f"{100 * share:.0f}" for share in shares),
            ]
        )
    head = ["searches of", "design", "number", "mean difference", "zero excluded", "covered"]
    return markdown([*head, "verdicts"], rows)


def shared(found: Shared) -> str:
    head = ["studies", "trials of the arm with more", "it holds the best trial"]
    row = [str(found.studies), percent(*found.larger), percent(*found.luckier)]
    return markdown(head, [row])
