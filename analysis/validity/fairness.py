"""Whether the arms were searched fairly: budget, weights, data, failures, limits of the space."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from analysis.formats import count, listing, percent
from analysis.inputs.search import value_at
from analysis.validity.check import Case, Check, Status
from analysis.validity.limits import LimitFinding, backed, limit_findings
from fer_tune.space.evidence import automatic

#: ``crowded``: in most studies, or backed by a single study's next best trials. ``alone``: in a
#: single study, whose next best trials lie elsewhere. ``few``: in a minority of studies.
Often = Literal["crowded", "alone", "few"]

#: Ratio of the epochs of two arms above which there is a warning.
EPOCHS_RATIO = 1.5


def allocation(case: Case) -> Check:
    """Equal numbers of trials: a sampler that chooses the arm follows early luck."""
    kinds = {
        value_at(m, "space", "compare", "allocation") or "equal" for m in case.search.manifests
    }
    equal = kinds == {"equal"}
    return Check(
        id="allocation",
        name="Trials were allocated equally",
        status="pass" if equal else "broken",
        detail="one study per arm and replicate, in round-robin order"
        if equal
        else "the comparison is unbalanced: the sampler chose how many trials each arm got",
    )


def trials(case: Case) -> Check:
    """Equal numbers of ended trials in every arm; in merged searches, in every study."""
    table = case.search.trials
    counts = {arm: int((table["arm"] == arm).sum()) for arm in case.arms}
    equal = len(set(counts.values())) == 1
    if equal and len(case.search.manifests) > 1:
        studies = {arm: sorted(_of(table, arm).groupby("replicate").size()) for arm in case.arms}
        if len({tuple(sizes) for sizes in studies.values()}) > 1:
            each = listing(f"{arm} {' + '.join(map(str, sizes))}" for arm, sizes in studies.items())
            return Check(
                id="trials",
                name="Arms have equal numbers of trials",
                status="broken",
                detail=f"the arms' studies had unequal budgets: {each}",
            )
    return Check(
        id="trials",
        name="Arms have equal numbers of trials",
        status="pass" if equal else "broken",
        detail=("" if equal else "the arms had unequal budgets: ")
        + listing(f"{arm} {number}" for arm, number in counts.items()),
    )


def weights(case: Case) -> Check:
    """The same weights recipe: otherwise recipes are compared."""
    recipes = {
        arm: sorted(
            {str(w) for m in case.search.manifests if (w := value_at(m, "arms", arm, "weights"))}
        )
        for arm in case.arms
    }
    known = {recipe for found in recipes.values() for recipe in found}
    equal = len(known) <= 1
    return Check(
        id="weights",
        name="Arms use the same weights recipe",
        status="pass" if equal else "broken",
        detail=next(iter(known), "not recorded")
        if equal
        else "the comparison would be between recipes: "
        + listing(f"{arm} {' and '.join(found) or '?'}" for arm, found in recipes.items()),
    )


def data(case: Case) -> Check:
    """The same dataset, split in the same way, scored on the same test pictures."""
    name = "Arms used the same data"
    prints = {value_at(m, "dataset", "fingerprint") for m in case.search.manifests}
    if len(prints) > 1:
        each = listing(str(one)[:12] for one in sorted(map(str, prints)))
        detail = f"different dataset fingerprints: {each}"
        return Check(id="data", name=name, status="broken", detail=detail)
    cuts = {_cut(manifest) for manifest in case.search.manifests}
    scored = [case.scores[arm] for arm in case.arms if arm in case.scores]
    same = all(
        one.complete and np.array_equal(one.positions, scored[0].positions) for one in scored
    )
    fingerprint = next(iter(prints))
    status: Status = "pass" if fingerprint else "warn"
    detail = f"fingerprint {str(fingerprint)[:12]}" + (
        f", the same {scored[0].positions.size} test pictures for every run" if scored else ""
    )
    if not same:
        status, detail = "broken", "confirmation runs were scored on different test pictures"
    elif len(cuts) > 1:
        status, detail = "broken", "training and validation were split differently"
    elif not fingerprint:
        detail = "the manifest has no dataset fingerprint"
    return Check(id="data", name=name, status=status, detail=detail)


def spaces(case: Case) -> Check:
    """Merged folders searched the same space."""
    name = "Arms were searched in the same space"
    keys = (
        "parameters",
        "budget",
        "scheduler",
        "stopper",
        "stop_when",
        "metric",
        "cohorts",
        "augment",
        "precision",
    )
    manifests = case.search.manifests
    different = [
        key
        for key in keys
        if any(value_at(m, "space", key) != value_at(manifests[0], "space", key) for m in manifests)
    ]
    if len({_sampler(manifest) for manifest in manifests}) > 1:
        different.append("sampler")
    if len(case.search.training_versions) > 1:
        different.append("training version")
    # Budgets count trials over all arms of a folder; unequal ones show in the check on trials.
    detail = (
        f"the merged searches differ in: {listing(different)}"
        if different
        else "one search space"
        if len(manifests) == 1
        else f"the same in all {len(manifests)} searches"
    )
    return Check(id="spaces", name=name, status="warn" if different else "pass", detail=detail)


def warm_start(case: Case) -> Check:
    """Replicates that learn from the same earlier trials differ less than independent ones."""
    given = [found for m in case.search.manifests if (found := value_at(m, "warm_start"))]
    counts = [
        f"{arm} {number}" for found in given for arm, number in found["trials_per_arm"].items()
    ]
    several = case.search.trials["replicate"].nunique() > 1
    detail = "samplers began without trials of earlier searches"
    if given:
        detail = f"samplers began with trials of earlier searches ({listing(counts)})"
    if given and several:
        detail += ": studies of an arm vary less than without, and intervals do not cover that"
    return Check(
        id="warm_start",
        name="Studies of an arm are independent of each other",
        status="warn" if given and several else "pass",
        detail=detail,
    )


def epochs(case: Case) -> Check:
    """Similar numbers of epochs in every arm; early stopping alone makes them unequal."""
    table = case.search.trials
    allowed = {arm: sorted(set(_of(table, arm)["max_epochs"].dropna())) for arm in case.arms}
    run = {arm: float(_of(table, arm)["epochs"].sum()) for arm in case.arms}
    each = listing(f"{arm} {count(number)}" for arm, number in run.items())
    least, most = min(run.values()), max(run.values())
    unequal = least == 0 < most or (least > 0 and most / least > EPOCHS_RATIO)
    if len({tuple(values) for values in allowed.values()}) > 1:
        status: Status = "warn"
        detail = "the maximum length of a trial differs between arms: " + listing(
            f"{arm} {' or '.join(count(v) for v in values) or '?'} epochs"
            for arm, values in allowed.items()
        )
    elif unequal:
        status, detail = "warn", f"early stopping left one arm with far more epochs: {each}"
    else:
        status, detail = "pass", f"epochs run: {each}"
    return Check(
        id="epochs", name="Arms ran similar numbers of epochs", status=status, detail=detail
    )


def failures(case: Case) -> Check:
    """Failed trials reduce the effective budget of an arm."""
    bound = case.settings.failed_share
    shares = {arm: share for arm in case.arms if (share := _failed_share(case, arm)) > 0}
    too_many = any(share > bound for share in shares.values())
    stated = listing(f"{arm} {percent(share)}" for arm, share in shares.items())
    lead = "too many trials" if too_many else "some trials"
    return Check(
        id="failures",
        name=f"At most {percent(bound)} of an arm's trials failed",
        status="broken" if too_many else "pass",
        detail=f"{lead} ended as oom or failed: {stated}" if shares else "no trial failed",
    )


def limits(case: Case) -> Check:
    """Best values of a continuous parameter at a limit: the optimum may lie outside."""
    found = _at_limits(case, continuous=True)
    crowded = [where for where, often in found if often == "crowded"]
    alone = [where for where, often in found if often == "alone"]
    name = "Chosen values of continuous parameters lie inside their domains"
    if crowded:
        detail = f"the optimum may lie outside the search space: {listing(crowded)}"
        return Check(id="limits", name=name, status="broken", detail=detail)
    if alone:
        detail = f"only the chosen value, not those of the next best trials: {listing(alone)}"
        return Check(id="limits", name=name, status="warn", detail=detail)
    if found:
        detail = f"at a limit in a minority of studies: {listing(where for where, _ in found)}"
    else:
        detail = "none at a limit" if case.search.get("choices") else "no choice has been made yet"
    return Check(id="limits", name=name, status="pass", detail=detail)


def ends(case: Case) -> Check:
    """Integers and categories often have no value beyond the end of their domain."""
    found = _at_limits(case, continuous=False)
    most = [where for where, often in found if often != "few"]
    return Check(
        id="ends",
        name="Chosen integers and categories lie inside their domains",
        status="warn" if most else "pass",
        detail=f"at the end of the domain: {listing(most)}"
        if most
        else "none at the end of its domain in most studies",
    )


def _at_limits(case: Case, *, continuous: bool) -> list[tuple[str, Often]]:
    """Parameters with chosen values at a limit, in words, and how strong the evidence is."""
    found: list[tuple[str, Often]] = []
    for arm in case.arms:
        studies = len(case.search.chosen[arm])
        mine = [f for f in limit_findings(case.search, arm) if f.continuous is continuous]
        for (parameter, end), number in _counted(mine).items():
            where = f"{arm} {parameter} at its {'upper' if end == 'high' else 'lower'} limit"
            often: Often = "crowded" if 2 * number > studies else "few"
            if studies == 1:
                one = next(f for f in mine if (f.parameter, f.end) == (parameter, end))
                often = "crowded" if backed(case.search, arm, one) else "alone"
            else:
                where += f" in {number} of {studies} studies"
            found.append((where, often))
    return found


def _counted(findings: Sequence[LimitFinding]) -> Counter[tuple[str, str]]:
    return Counter((finding.parameter, finding.end) for finding in findings)


def _failed_share(case: Case, arm: str) -> float:
    states = _of(case.search.trials, arm)["state"]
    return float(states.isin(["oom", "failed"]).mean()) if len(states) else 0.0


def _of(table: pd.DataFrame, arm: str) -> pd.DataFrame:
    return table[table["arm"] == arm]


def _sampler(manifest: Mapping[str, Any]) -> str:
    """The sampler of a search, ``auto`` resolved; it was TPE before there was a choice."""
    named = value_at(manifest, "space", "sampler") or "tpe"
    if named != "auto":
        return str(named)
    compare = value_at(manifest, "space", "compare")
    trials = value_at(manifest, "space", "budget", "trials")
    if not isinstance(compare, Mapping) or compare.get("allocation") == "sampled":
        return "tpe"
    return automatic(int(trials) // (len(compare["arms"]) * int(compare.get("replicates") or 1)))


def _cut(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    keys = (("space", "data"), ("seeds", "split"))
    version = int(manifest.get("audit_version") or 1)  # what counts as a copy
    return (*(repr(value_at(manifest, *path)) for path in keys), repr(version))
