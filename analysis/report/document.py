"""Builds report.json: the one source from which the page, the Markdown and the summary come."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.compare import Pair, compare
from analysis.loading import Search
from analysis.pictures import score_pictures
from analysis.report.arms import arm_section, floor_sections
from analysis.report.method import data_section, method_section
from analysis.report.quantities import F1, Json, estimated, plain, quantity
from analysis.report.training import (
    confusion_sections,
    curve_sections,
    ending_sections,
    trial_section,
)
from analysis.validity import Check, checklist
from analysis.verdict import SMALLEST_EFFECT
from analysis.wording import headline, remedy_note, scope_note, sentence

#: Of report.json; raised whenever a key changes its meaning or goes.
REPORT_SCHEMA_VERSION = 1


def build(search: Search, smallest_effect: float = SMALLEST_EFFECT) -> Json:
    """The whole report as JSON's own types.

    Args:
        smallest_effect: difference of macro-F1 that is worth having, in [0, 1].
    """
    scores = score_pictures(search)
    pairs = compare(search, scores, smallest_effect)
    checks = pairs[0].checks if len(pairs) == 1 else checklist(search, search.arms, scores)
    report = {
        "schema_version": REPORT_SCHEMA_VERSION,
        "search": _search(search),
        "verdict": _verdict(search, pairs, checks, smallest_effect),
        "pairs": [_pair(pair, smallest_effect) for pair in pairs],
        "arms": [arm_section(search, arm, scores) for arm in search.arms],
        "floors": floor_sections(scores),
        "validity": [_check(check) for check in checks],
        "curves": curve_sections(search),
        "confusion": confusion_sections(search),
        "endings": ending_sections(search),
        "trials": trial_section(search),
        "data": data_section(search, scores),
        "method": method_section(search, smallest_effect),
    }
    cleaned: Json = plain(report)
    return cleaned


def _search(search: Search) -> Json:
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
        "arms": list(search.arms),
        "classes": list(search.classes),
    }


def _verdict(
    search: Search, pairs: Sequence[Pair], checks: Sequence[Check], smallest_effect: float
) -> Json:
    single = pairs[0] if len(pairs) == 1 else None
    kind = single.kind if single else "pairwise" if pairs else "none"
    scope = scope_note(single) if single and single.kind != "not comparable" else None
    return {
        "kind": kind,
        "chip": "no verdict" if kind == "none" else kind,
        "sentence": headline(search, pairs, smallest_effect),
        "scope_note": scope,
        "remedy_note": remedy_note(single.remedy, single) if single and single.remedy else None,
        "smallest_effect": quantity(
            smallest_effect, unit=F1, n=0, of="none", estimator="set, not estimated"
        ),
        "broken": [check.detail for check in checks if check.status == "broken"],
        # The note on scope says in full what the check on studies says in short.
        "cautions": [
            check.detail
            for check in checks
            if check.status == "warn" and not (scope and check.id == "studies")
        ],
    }


def _pair(pair: Pair, smallest_effect: float) -> Json:
    of = "studies" if pair.unit == "study" else "seeds"
    remedy = pair.remedy
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
        "remedy": remedy
        and {
            "units_per_arm": remedy.units,
            "units_now": remedy.have,
            "of": of,
            "more_hours": remedy.hours,
            "resource": remedy.resource,
            "estimator": "Welch half-width of half the smallest effect at the pooled spread",
        },
    }


def _p_value(value: float | None, pair: Pair, of: str, estimator: str) -> Json:
    n = pair.difference.n if pair.difference else 0
    return quantity(value, unit="probability", n=n, of=of, estimator=estimator)


def _check(check: Check) -> Json:
    return {
        "id": check.id,
        "name": check.name,
        "status": check.status,
        "detail": check.detail,
    }
