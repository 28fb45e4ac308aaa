"""Whether the test scores may be compared: enough units, choice before test, no leaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from analysis.formats import NEAR_COPIES, count, listing, plural
from analysis.formats import units as units_word
from analysis.inputs.search import Search, value_at
from analysis.inputs.units import FAMILIES, SEEDS_NEEDED, SEEDS_PER_STUDY, Units, arm_units
from analysis.validity.check import Case, Check, Status

#: Of searches under the rule of exact copies.
_EXACT_ONLY = "; only copies with the same pixels were searched for"
#: A recorded macro-F1 and the one recomputed from the predictions may differ by rounding alone.
_ROUNDING = 1e-4


def studies(case: Case) -> Check:
    """Enough studies for a claim about the families, and all of them independent."""
    asked = case.search.replicates
    fewest = min(arm_units(case.search, arm).n for arm in case.arms) if asked > 1 else asked
    name = f"At least {FAMILIES} independent studies per arm"
    if shared := case.search.shared_seeds:
        seeds = listing(f"{arm}, seed {seed}" for arm, seed in shared if arm in case.arms)
        detail = f"merged searches share a search seed, so they are not independent: {seeds}"
        return Check(id="studies", name=name, status="broken", detail=detail)
    if asked == 1:
        detail = "1 study per arm: the result is about the configurations found, not the families"
    else:
        detail = f"{fewest} of {asked} studies confirmed in the arm with the fewest" + (
            ": too few for a claim about the families" if fewest < FAMILIES else ""
        )
    status: Status = "pass" if fewest >= FAMILIES else "warn"
    return Check(id="studies", name=name, status=status, detail=detail)


def units(case: Case) -> Check:
    """Enough units in every arm for a credible interval, and scores that vary."""
    search, name = case.search, "Enough confirmation runs for a confidence interval"
    found = {arm: arm_units(search, arm) for arm in case.arms}
    broken = _too_few(search, found)
    if broken:
        return Check(id="units", name=name, status="broken", detail=broken)
    faults = _shortcomings(case, found)
    kind = units_word(search.unit)
    detail = listing(f"{arm} {unit.n} {kind}" for arm, unit in found.items())
    return Check(
        id="units",
        name=name,
        status="warn" if faults else "pass",
        detail="; ".join([*faults, detail]),
    )


def _too_few(search: Search, found: dict[str, Units]) -> str:
    """Why there is no credible interval; empty when there is one."""
    kind, least = units_word(search.unit), SEEDS_NEEDED if search.unit == "seed" else 2
    if all(unit.n == 0 for unit in found.values()):
        return "no configuration has been confirmed on the test split yet"
    few = [f"{arm} {unit.n}" for arm, unit in found.items() if unit.n < least]
    if few:
        more = "; add more with fer-tune confirm" if kind == "seeds" else ""
        return f"too few {kind} ({least} per arm are needed): {listing(few)}{more}"
    if all(np.ptp(unit.values) == 0 for unit in found.values()):
        return f"all {kind} of an arm have the same score, so the variance is unknown"
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
        faults.append(f"{plural(cut_short, 'run')} ended early")
    seeds = int(mine.groupby(["arm", "replicate"])["seed"].nunique().min())
    if search.unit == "study" and seeds < SEEDS_PER_STUDY:
        faults.append(f"only {plural(seeds, 'seed')} per study ({SEEDS_PER_STUDY} are recommended)")
    return faults


def _planned(search: Search, arms: Sequence[str]) -> int:
    choices = [c for c in search.get("choices", default=[]) if c["arm"] in arms]
    return sum(
        len(choice.get("runs") or search.get("confirm_seeds", default=[])) for choice in choices
    )


def choice(case: Case) -> Check:
    """Configurations were chosen before the test split was read, in every merged search."""
    name = "Configurations were chosen before the test split was read"
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
    """Why a folder's choice may depend on test scores; empty when it does not."""
    frozen, read = manifest.get("choice_frozen_at"), manifest.get("first_test_read_at")
    if read is None and not scored:
        return ""
    if frozen is None:
        return "test scores exist, but no choice was frozen before them"
    if read is None:
        return "test scores exist, but the manifest does not record when they were first read"
    return "the first test score was read before the choice was frozen" if read < frozen else ""


def leaks(case: Case) -> Check:
    """Copies of test pictures in training favour the arm that memorises best."""
    name = "No test picture was used in training"
    answers = case.search.predictions
    mine = answers[answers["arm"].isin(case.arms)].drop_duplicates("position")
    kept = any(
        (manifest.get("space") or {}).get("data", {}).get("leaks") == "keep"
        for manifest in case.search.manifests
    )
    leaked = int(mine["leaked"].fillna(False).astype(bool).sum())
    near = case.search.near_copies_count
    copies, searched = (
        ("copies or near copies", f"; {NEAR_COPIES}") if near else ("copies", _EXACT_ONLY)
    )
    if kept and leaked:
        detail = (
            f"{copies} of {count(leaked)} of {count(len(mine))} test pictures were left in "
            f"training (data.leaks: keep){searched}"
        )
        return Check(id="leaks", name=name, status="broken", detail=detail)
    left = 0 if near else _near_left(case)
    if not len(mine):
        detail = "no configuration has been confirmed yet"
    elif leaked:
        detail = f"{copies} of {count(leaked)} test pictures were removed from training"
        detail += "" if left else searched
    elif left:
        detail = ""
    else:
        word = copies.replace("copies", "copy")
        detail = f"no test picture has a {word} in training{searched}"
    if left:
        still = (
            f"near copies of {count(left)} test pictures were left in training, as only exact "
            f"copies were removed (data.leaks: exact); {NEAR_COPIES}"
        )
        detail = f"{detail}; {still}" if detail else still
    return Check(id="leaks", name=name, status="warn" if left else "pass", detail=detail)


def _near_left(case: Case) -> int:
    """Test pictures with near copies that the rule of exact copies left outside the test split.

    Audits of earlier versions do not count them apart: then those with a near copy at all.
    """
    counts = [value_at(m, "dataset", "audit") or {} for m in case.search.manifests]
    return max(map(_left_in, counts))


def _left_in(audit: Mapping[str, Any]) -> int:
    left = audit.get("near_left_by_exact")
    if left is None:
        return sum(int(audit.get(f"near_in_{split}") or 0) for split in ("training", "validation"))
    return int(left)


def finished(case: Case) -> Check:
    """The numbers of an unfinished search may change."""
    state, running = case.search.state, len(case.search.running)
    still = f" with {plural(running, 'unfinished trial')}" if running else ""
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
    """The recorded test scores follow from the saved predictions."""
    table = case.search.confirmations.dropna(subset="test_macro_f1")
    table = table[table["arm"].isin(case.arms)]
    recomputed: dict[int, float] = {}
    for arm in case.arms:
        if arm in case.scores:
            recomputed.update(case.scores[arm].runs)
    recorded = zip(table["trial"].astype(int), table["test_macro_f1"].astype(float), strict=True)
    gaps = [abs(value - recomputed[trial]) for trial, value in recorded if trial in recomputed]
    off, missing = sum(gap > _ROUNDING for gap in gaps), len(table) - len(gaps)
    if off:
        detail = f"{off} of {len(gaps)} runs differ, by up to {max(gaps):.4f}"
    elif missing:
        detail = f"{missing} runs have no saved predictions"
    else:
        detail = f"{len(gaps)} runs recomputed"
    return Check(
        id="traceable",
        name="Recorded test scores match the saved predictions",
        status="warn" if off or missing else "pass",
        detail=detail,
    )
