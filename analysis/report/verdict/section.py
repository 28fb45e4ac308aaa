"""The search, the verdict, every pair of arms and the validity checklist."""

from __future__ import annotations

from analysis import formats
from analysis.report.evidence import Evidence
from analysis.report.quantities import F1, Json, estimated, quantity
from analysis.verdict.compare import POWER, Pair, Remedy
from analysis.verdict.wording import headline, notes, sentence


def search_section(evidence: Evidence) -> Json:
    """The search: name, state, time, command, design."""
    search = evidence.search
    return {
        "name": search.get("name", default=search.root.name),
        "purpose": search.get("space", "purpose"),
        "state": search.state,
        "command": " ".join(str(word) for word in search.get("command", default=[])),
        "started": search.get("started"),
        "ended": search.get("ended"),
        "wall_seconds": search.get("wall_seconds"),
        "startup_seconds": search.get("startup_seconds"),
        "metric": search.metric_name,
        "compared_parameter": search.get("space", "compare", "parameter"),
        "allocation": search.get("space", "compare", "allocation"),
        "replicates": search.replicates,
        "max_epochs": search.get("space", "budget", "max_epochs"),
        "confirm_seeds": search.get("confirm_seeds", default=[]),
        "choice_frozen": search.get("choice_frozen_at") is not None,
        "unit": search.unit,
        "arms": list(search.arms),
        "classes": list(search.classes),
    }


def verdict_section(evidence: Evidence) -> Json:
    """The verdict in one sentence, with notes on its scope and the required sample size."""
    search, pairs, settings = evidence.search, evidence.pairs, evidence.settings
    single = pairs[0] if len(pairs) == 1 else None
    kind = single.kind if single else "pairwise" if pairs else "none"
    return {
        "kind": kind,
        "chip": "no verdict" if kind == "none" else kind,
        "sentence": headline(search, pairs, settings.smallest_effect),
        "notes": list(notes(pairs, settings.smallest_effect)),
        "smallest_effect": quantity(
            settings.smallest_effect, unit=F1, n=0, of="none", estimator="set, not estimated"
        ),
        "broken": [check.detail for check in evidence.checks if check.status == "broken"],
        "cautions": [check.detail for check in evidence.checks if check.status == "warn"],
    }


def pair_sections(evidence: Evidence) -> list[Json]:
    """Every comparison of two arms, with the decision table as applied."""
    return [_pair(pair, evidence.settings.smallest_effect) for pair in evidence.pairs]


def validity_section(evidence: Evidence) -> list[Json]:
    """The validity checklist, failed checks first."""
    return [
        {"id": check.id, "name": check.name, "status": check.status, "detail": check.detail}
        for check in evidence.checks
    ]


def _pair(pair: Pair, smallest_effect: float) -> Json:
    of = formats.units(pair.unit)
    return {
        "first": pair.first,
        "second": pair.second,
        "verdict": pair.kind,
        "sentence": sentence(pair, smallest_effect),
        "scope": pair.scope,
        "difference": estimated(pair.difference, unit=F1, of=f"{of} in the smaller arm"),
        "superiority": estimated(pair.superiority, unit="probability", of=f"{of}, smaller arm"),
        "p_value": _p_value(pair.p_value, pair, of, "Welch's t test"),
        "p_holm": _p_value(pair.p_holm, pair, of, "Welch's t test, Holm over all pairs"),
        "broken": [check.name for check in pair.broken],
        "table": [
            {"condition": row.condition, "verdict": row.verdict, "fits": row.fits}
            for row in pair.rows
        ],
        "remedy": _remedy(pair.remedy, of) if pair.remedy else None,
    }


def _remedy(remedy: Remedy, of: str) -> Json:
    return {
        "units_now": remedy.have,
        "of": of,
        "power": POWER,
        "resource": remedy.resource,
        "estimator": "power of a two-sample t test at the pooled spread",
        "steps": [
            {"effect": step.effect, "units_per_arm": step.units, "more_hours": step.hours}
            for step in remedy.steps
        ],
    }


def _p_value(value: float | None, pair: Pair, of: str, estimator: str) -> Json:
    n = pair.difference.n if pair.difference else 0
    return quantity(value, unit="probability", n=n, of=of, estimator=estimator)
