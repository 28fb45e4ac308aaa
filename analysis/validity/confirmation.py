"""Whether the test scores may be compared: enough units, an honest choice, clean pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from analysis.formats import count, listing, plural
from analysis.loading import Search
from analysis.units import FAMILIES, SEEDS_NEEDED, SEEDS_PER_STUDY, Units, arm_units
from analysis.validity.check import Case, Check, Status

#: A recorded macro-F1 and the one recomputed from the predictions may differ by rounding alone.
_ROUNDING = 1e-4


def studies(case: Case) -> Check:
    """Enough independent studies to speak of the families, and really independent ones."""
    asked = case.search.replicates
    fewest = min(arm_units(case.search, arm).n for arm in case.arms) if asked > 1 else asked
    name = f"{FAMILIES} independent studies per arm or more"
    if shared := case.search.shared_seeds:
        detail = "merged searches are copies rather than independent, by their search seed: "
        told = listing(f"{arm}, seed {seed}" for arm, seed in shared if arm in case.arms)
        return Check(id="studies", name=name, status="broken", detail=detail + told)
    if asked == 1:
        detail = "1 study per arm: the result speaks of the configurations found, not the families"
    else:
        detail = f"{fewest} of {asked} studies confirmed in the arm with the fewest" + (
            ": too few to speak of the families" if fewest < FAMILIES else ""
        )
    status: Status = "pass" if fewest >= FAMILIES else "warn"
    return Check(id="studies", name=name, status=status, detail=detail)


def units(case: Case) -> Check:
    """Enough units in every arm for an interval that can be believed, and a spread."""
    search, name = case.search, "Enough confirmation runs for an interval"
    found = {arm: arm_units(search, arm) for arm in case.arms}
    broken = _too_few(search, found)
    if broken:
        return Check(id="units", name=name, status="broken", detail=broken)
    faults = _shortcomings(case, found)
    kind = _plural(search)
    detail = listing(f"{arm} {unit.n} {kind}" for arm, unit in found.items())
    return Check(
        id="units",
        name=name,
        status="warn" if faults else "pass",
        detail="; ".join([*faults, detail]),
    )


def _too_few(search: Search, found: dict[str, Units]) -> str:
    """Why no interval can be believed; empty when one can."""
    kind, least = _plural(search), SEEDS_NEEDED if search.unit == "seed" else 2
    if all(unit.n == 0 for unit in found.values()):
        return "nothing has been confirmed on the test split yet"
    few = [f"{arm} {unit.n}" for arm, unit in found.items() if unit.n < least]
    if few:
        more = "; fer-tune confirm adds more" if kind == "seeds" else ""
        return f"too few {kind}, {least} per arm are needed: {listing(few)}{more}"
    if all(np.ptp(unit.values) == 0 for unit in found.values()):
        return f"all {kind} of an arm score exactly alike, so there is no spread to judge by"
    return ""


def _shortcomings(case: Case, found: dict[str, Units]) -> list[str]:
    search, faults = case.search, []
    wanted = _planned(search, case.arms)
    done = sum(unit.runs.size for unit in found.values())
    if done < wanted:
        faults.append(f"{done} of {wanted} runs have a score")
    table = search.confirmations
    mine = table[table["arm"].isin(case.arms) & table["test_macro_f1"].notna()]
    cut_short = int((mine["state"] != "complete").sum())
    if cut_short:
        faults.append(f"{plural(cut_short, 'run')} ended before the budget did")
    seeds = int(mine.groupby(["arm", "replicate"])["seed"].nunique().min())
    if search.unit == "study" and seeds < SEEDS_PER_STUDY:
        faults.append(f"only {plural(seeds, 'seed')} in a study, {SEEDS_PER_STUDY} advised")
    return faults


def _plural(search: Search) -> str:
    return "seeds" if search.unit == "seed" else "studies"


def _planned(search: Search, arms: Sequence[str]) -> int:
    choices = [c for c in search.get("choices", default=[]) if c["arm"] in arms]
    return sum(
        len(choice.get("runs") or search.get("confirm_seeds", default=[])) for choice in choices
    )


def choice(case: Case) -> Check:
    """Chosen before the test split was read, in every search that is part of this."""
    name = "Chosen before the test split was read"
    search = case.search
    folders = zip(search.manifests, search.scored, strict=True)
    faults = [fault for manifest, scored in folders if (fault := _peeked(manifest, scored))]
    read = [manifest.get("first_test_read_at") for manifest in search.manifests]
    if faults:
        return Check(id="choice", name=name, status="broken", detail=faults[0])
    detail = (
        "the first test score was read after the choice was frozen"
        if any(stamp is not None for stamp in read)
        else "no test score has been read"
    )
    return Check(id="choice", name=name, status="pass", detail=detail)


def _peeked(manifest: Mapping[str, Any], scored: bool) -> str:
    """What is wrong with a folder's order of choice and reading; empty when nothing is."""
    frozen, read = manifest.get("choice_frozen_at"), manifest.get("first_test_read_at")
    if read is None and not scored:
        return ""
    if frozen is None:
        return "test scores exist, yet no choice was frozen before them"
    if read is None:
        return "test scores exist, yet the manifest does not say since when"
    return "the first test score was read before the choice was frozen" if read < frozen else ""


def leaks(case: Case) -> Check:
    """Test pictures whose copies were trained on flatter whoever remembers best."""
    name = "No test picture was trained on"
    answers = case.search.predictions
    mine = answers[answers["arm"].isin(case.arms)].drop_duplicates("position")
    kept = any(
        (manifest.get("space") or {}).get("data", {}).get("leaks") == "keep"
        for manifest in case.search.manifests
    )
    leaked = int(mine["leaked"].fillna(False).astype(bool).sum())
    if kept and leaked:
        detail = (
            f"copies of {count(leaked)} of {count(len(mine))} test pictures were left in "
            "training (data.leaks: keep)"
        )
        return Check(id="leaks", name=name, status="broken", detail=detail)
    if not len(mine):
        detail = "nothing has been confirmed yet"
    elif leaked:
        detail = f"copies of {count(leaked)} test pictures were left out of training"
    else:
        detail = "no test picture has a copy in training"
    return Check(id="leaks", name=name, status="pass", detail=detail)


def finished(case: Case) -> Check:
    """Numbers of a search that still runs may change."""
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


def traceable(case: Case) -> Check:
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
