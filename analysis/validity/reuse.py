"""Whether the test split was read for this verdict alone, and once."""

from __future__ import annotations

from analysis.estimators.reuse import raised_seeds_rate, searches_rate, stages_of
from analysis.formats import count, plural
from analysis.inputs.search import value_at
from analysis.inputs.units import SEEDS_NEEDED
from analysis.validity.check import Case, Check

#: Seeds and searches beyond which the simulated rate no longer says more.
_MOST = 50


def seeds(case: Case) -> Check:
    """Seeds added after a look give an arm a second chance to differ by luck."""
    name = "Confirmation seeds were decided before a verdict was shown"
    worst: tuple[float, tuple[int, ...]] | None = None
    for manifest in case.search.manifests:
        studies = int(value_at(manifest, "space", "compare", "replicates") or 1)
        raised = value_at(manifest, "test_readings", "raised") or []
        pairs = [(int(one["before"]), int(one["after"])) for one in raised]
        # Fewer seeds of one study give no interval, so no verdict was shown.
        seen = [pair for pair in pairs if studies > 1 or pair[0] >= SEEDS_NEEDED]
        stages = stages_of(seen)
        if stages and stages[0] >= 2:
            found = (raised_seeds_rate(_scaled(stages), min(studies, _MOST)), stages)
            worst = found if worst is None else max(worst, found)
    if worst is None:
        return Check(id="seeds", name=name, status="pass", detail="none were added after a verdict")
    rate, steps = worst
    detail = (
        f"raised from {' to '.join(map(str, steps))} after a verdict was shown: identical arms "
        f"would differ at one of these looks in {_percent(rate)} of searches instead of 5 % "
        "(simulated). Use the verdict as a reason for a new search, not as its result"
    )
    return Check(id="seeds", name=name, status="warn", detail=detail)


def _scaled(stages: tuple[int, ...]) -> tuple[int, ...]:
    """At most ``_MOST`` seeds: the rate depends on the ratios of these numbers."""
    if stages[-1] <= _MOST:
        return stages
    factor = _MOST / stages[-1]
    return tuple(sorted({max(2, round(factor * number)) for number in stages}))


def reuse(case: Case) -> Check:
    """A test split that many searches read is no longer new to any of them."""
    name = "The test split had not been read before"
    known = [m.get("test_readings") or {} for m in case.search.manifests]
    own = {one.get("id") for one in known}
    earlier = {reader for one in known for reader in one.get("searches") or []} - own
    evaluations = max((int(one.get("evaluations") or 0) for one in known), default=0)
    if not any(one.get("id") for one in known):
        detail = "earlier readings are not recorded, or it has not been read yet"
        return Check(id="reuse", name=name, status="pass", detail=detail)
    if not earlier and not evaluations:
        detail = "this search is the first that read it, as far as this machine knows"
        return Check(id="reuse", name=name, status="pass", detail=detail)
    parts = []
    if earlier:
        number = len(earlier) + 1
        rate = searches_rate(min(number, _MOST))
        parts.append(
            f"this is search number {count(number)} on these test pictures: of {number} searches "
            f"of identical arms at least one finds a difference in {_percent(rate)} of cases "
            "instead of 5 % (simulated)"
        )
    if evaluations:
        models = plural(evaluations, "model")
        parts.append(
            f"{models} had been evaluated on them: what was learned from that may have shaped "
            "this search"
        )
    return Check(id="reuse", name=name, status="warn", detail="; ".join(parts))


def _percent(rate: float) -> str:
    return f"{100 * rate:.0f} %"
