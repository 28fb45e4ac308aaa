"""The validity checklist: what must hold before two arms may be compared.

A check is ``pass``, ``warn`` (said on the first screen) or ``broken`` (no comparison is made).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from analysis.formats import listing, percent, plural, score
from analysis.loading import Search
from analysis.pictures import FLOORS, PictureScores
from analysis.units import FAMILIES, SEEDS_ADVISED, arm_units

Status = Literal["pass", "warn", "broken"]

#: Share of an arm's trials that may end without a usable value (``oom``, ``failed``).
FAILED_SHARE = 0.2
#: A recorded macro-F1 and the one recomputed from the predictions may differ by rounding alone.
_ROUNDING = 1e-4


@dataclass(frozen=True, kw_only=True)
class Check:
    """One line of the checklist: ``name`` is what should hold, ``detail`` what was found."""

    id: str
    name: str
    status: Status
    detail: str


@dataclass(frozen=True, kw_only=True)
class _Case:
    """What a check looks at: a search, the arms in question, scores on pictures by name."""

    search: Search
    arms: Sequence[str]
    scores: Mapping[str, PictureScores]


def checklist(
    search: Search, arms: Sequence[str], scores: Mapping[str, PictureScores]
) -> tuple[Check, ...]:
    """Every check for ``arms`` (two for a verdict, all or one for the report's list).

    Args:
        scores: of :func:`analysis.pictures.score_pictures`.
    """
    case = _Case(search=search, arms=arms, scores=scores)
    alone = (_finished, _units, _choice, _failures, _majority, _regression, _traceable)
    together = (_allocation, _trials, _weights, _data, _studies)
    wanted = alone if len(arms) < 2 else (*together, *alone)
    found = [check(case) for check in wanted]
    order: dict[Status, int] = {"broken": 0, "warn": 1, "pass": 2}
    return tuple(sorted(found, key=lambda check: order[check.status]))


def _allocation(case: _Case) -> Check:
    kind = case.search.get("space", "compare", "allocation", default="equal")
    equal = kind == "equal"
    return Check(
        id="allocation",
        name="Trials were shared out equally",
        status="pass" if equal else "broken",
        detail="one study per arm and replicate, served in turn"
        if equal
        else "the comparison is unbalanced: the sampler itself chose how many trials an arm gets",
    )


def _trials(case: _Case) -> Check:
    counts = {arm: int((case.search.trials["arm"] == arm).sum()) for arm in case.arms}
    equal = len(set(counts.values())) == 1
    return Check(
        id="trials",
        name="Arms have equally many trials",
        status="pass" if equal else "broken",
        detail=("" if equal else "the arms had unequal budgets: ")
        + listing(f"{arm} {count}" for arm, count in counts.items()),
    )


def _weights(case: _Case) -> Check:
    recipes = {arm: case.search.get("arms", arm, "weights", default="?") for arm in case.arms}
    equal = len(set(recipes.values())) == 1
    return Check(
        id="weights",
        name="Arms start from the same weights recipe",
        status="pass" if equal else "broken",
        detail=next(iter(recipes.values()))
        if equal
        else "the comparison would compare recipes: "
        + listing(f"{arm} {recipe}" for arm, recipe in recipes.items()),
    )


def _data(case: _Case) -> Check:
    fingerprint = case.search.get("dataset", "fingerprint")
    scored = [case.scores[arm] for arm in case.arms if arm in case.scores]
    same = all(
        one.complete and np.array_equal(one.positions, scored[0].positions) for one in scored
    )
    status: Status = "broken" if not same else "pass" if fingerprint else "warn"
    if not same:
        detail = "confirmation runs were scored on different test pictures"
    elif not fingerprint:
        detail = "the manifest names no dataset fingerprint"
    else:
        detail = f"fingerprint {str(fingerprint)[:12]}" + (
            f", the same {scored[0].positions.size} test pictures for every run" if scored else ""
        )
    return Check(id="data", name="Arms saw the same data", status=status, detail=detail)


def _studies(case: _Case) -> Check:
    asked = case.search.replicates
    fewest = min(arm_units(case.search, arm).n for arm in case.arms) if asked > 1 else asked
    name = f"{FAMILIES} independent studies per arm or more"
    if asked == 1:
        detail = "1 study per arm: the result speaks of the configurations found, not the families"
    else:
        detail = f"{fewest} of {asked} studies confirmed in the arm with the fewest" + (
            ": too few to speak of the families" if fewest < FAMILIES else ""
        )
    status: Status = "pass" if fewest >= FAMILIES else "warn"
    return Check(id="studies", name=name, status=status, detail=detail)


def _units(case: _Case) -> Check:
    """At least two units per arm that differ; enough seeds in each."""
    search, name = case.search, "Enough confirmation runs for an interval"
    units = {arm: arm_units(search, arm) for arm in case.arms}
    kind = "seeds" if search.unit == "seed" else "studies"
    few = [f"{arm} {unit.n}" for arm, unit in units.items() if unit.n < 2]
    if few or not units:
        nothing = all(unit.n == 0 for unit in units.values())
        detail = (
            "nothing has been confirmed on the test split yet"
            if nothing
            else f"too few {kind}, an interval needs 2: {listing(few)}"
        )
        return Check(id="units", name=name, status="broken", detail=detail)
    if all(np.ptp(unit.values) == 0 for unit in units.values()):
        detail = f"all {kind} of an arm score exactly alike, so there is no spread to judge by"
        return Check(id="units", name=name, status="broken", detail=detail)
    wanted = _planned(search, case.arms)
    done = sum(unit.runs.size for unit in units.values())
    seeds = min(_seeds(search, arm) for arm in case.arms)
    advised = SEEDS_ADVISED if search.unit == "seed" else 2
    faults = [f"{done} of {wanted} runs have a score"] if done < wanted else []
    table = search.confirmations
    cut_short = table[
        table["arm"].isin(case.arms)
        & table["test_macro_f1"].notna()
        & (table["state"] != "complete")
    ]
    if len(cut_short):
        faults.append(f"{plural(len(cut_short), 'run')} ended before the budget did")
    if seeds < advised:
        faults.append(f"only {plural(seeds, 'seed')} per study, {advised} advised")
    detail = listing(f"{arm} {unit.n} {kind}" for arm, unit in units.items())
    return Check(
        id="units",
        name=name,
        status="warn" if faults else "pass",
        detail="; ".join([*faults, detail]),
    )


def _seeds(search: Search, arm: str) -> int:
    """Fewest scored seeds over the arm's confirmed studies."""
    table = search.confirmations
    runs = table[(table["arm"] == arm) & table["test_macro_f1"].notna()]
    return int(runs.groupby("replicate")["seed"].nunique().min())


def _planned(search: Search, arms: Sequence[str]) -> int:
    choices = [c for c in search.get("choices", default=[]) if c["arm"] in arms]
    return len(choices) * len(search.get("confirm_seeds", default=[]))


def _finished(case: _Case) -> Check:
    state, running = case.search.state, len(case.search.running)
    still = f", {plural(running, 'trial')} not ended" if running else ""
    done = state == "finished"
    return Check(
        id="finished",
        name="The search has finished",
        status="pass" if done else "warn",
        detail="finished"
        if done
        else f"the search is {state}{still}: the numbers may still change",
    )


def _choice(case: _Case) -> Check:
    frozen = case.search.get("choice_frozen_at")
    read = case.search.get("first_test_read_at")
    tested = read is not None or case.search.confirmations["test_macro_f1"].notna().any()
    if not tested:
        fault, detail = False, "no test score has been read"
    elif frozen is None:
        fault, detail = True, "test scores exist, yet no choice was frozen before them"
    elif read is None:
        fault, detail = True, "test scores exist, yet the manifest does not say since when"
    else:
        fault = read < frozen
        order = "before the choice was frozen" if fault else "after the choice was frozen"
        detail = f"the first test score was read {order}"
    return Check(
        id="choice",
        name="Chosen before the test split was read",
        status="broken" if fault else "pass",
        detail=detail,
    )


def _failures(case: _Case) -> Check:
    shares = {arm: share for arm, share in _failed_shares(case) if share > 0}
    too_many = [arm for arm, share in shares.items() if share > FAILED_SHARE]
    lead = "too many trials" if too_many else "some trials"
    stated = listing(f"{arm} {percent(share)}" for arm, share in shares.items())
    return Check(
        id="failures",
        name=f"At most {percent(FAILED_SHARE)} of an arm's trials failed",
        status="broken" if too_many else "pass",
        detail=f"{lead} ended as oom or failed: {stated}" if shares else "no trial failed",
    )


def _failed_shares(case: _Case) -> Iterator[tuple[str, float]]:
    for arm in case.arms:
        states: pd.Series[str] = case.search.trials.query("arm == @arm")["state"]
        yield arm, float(states.isin(["oom", "failed"]).mean()) if len(states) else 0.0


def _majority(case: _Case) -> Check:
    return _floor(case, "majority", "broken")


def _regression(case: _Case) -> Check:
    return _floor(case, "logistic_regression", "warn")


def _floor(case: _Case, floor: str, otherwise: Status) -> Check:
    """Both intervals are over test pictures, of the models at hand: they must be apart."""
    name = f"Arms are above the floor: {FLOORS[floor]}"
    if floor not in case.scores or not any(arm in case.scores for arm in case.arms):
        confirmed = not case.search.confirmations.empty
        detail = f"no comparison with {FLOORS[floor]}: " + (
            "it was not measured" if confirmed else "nothing has been confirmed yet"
        )
        return Check(id=f"floor_{floor}", name=name, status="warn", detail=detail)
    bar = case.scores[floor].macro_f1
    assert bar.high is not None, "a picture bootstrap has an interval"
    intervals = [(arm, case.scores[arm].macro_f1) for arm in case.arms if arm in case.scores]
    below = [
        f"{arm} at {score(mine.value)} [{score(mine.low)}, {score(mine.high)}]"
        for arm, mine in intervals
        if mine.low is not None and mine.low <= bar.high
    ]
    floor_text = f"{score(bar.value)} [{score(bar.low)}, {score(bar.high)}]"
    if below:
        detail = f"not above {FLOORS[floor]} at {floor_text}: {listing(below)}"
        return Check(id=f"floor_{floor}", name=name, status=otherwise, detail=detail)
    detail = f"intervals apart from its {floor_text}"
    return Check(id=f"floor_{floor}", name=name, status="pass", detail=detail)


def _traceable(case: _Case) -> Check:
    """The recorded test scores follow from the recorded answers."""
    table = case.search.confirmations.dropna(subset="test_macro_f1")
    table = table[table["arm"].isin(case.arms)]
    again: dict[int, float] = {}
    for arm in case.arms:
        if arm in case.scores:
            again.update(case.scores[arm].runs)
    recorded = zip(table["trial"].astype(int), table["test_macro_f1"].astype(float), strict=True)
    gaps = [abs(value - again[trial]) for trial, value in recorded if trial in again]
    off, missing = sum(gap > _ROUNDING for gap in gaps), len(table) - len(gaps)
    if off:
        detail = f"{off} of {len(gaps)} runs differ, by up to {max(gaps):.4f}"
    elif missing:
        detail = f"{missing} runs have no saved predictions"
    else:
        detail = f"{len(gaps)} runs recomputed"
    return Check(
        id="traceable",
        name="Recorded test scores follow from the saved predictions",
        status="warn" if off or missing else "pass",
        detail=detail,
    )
