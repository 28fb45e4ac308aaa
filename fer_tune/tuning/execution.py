"""What a session of a search does once Ray runs: its phases, extensions and further seeds.

``run.py`` imports this late: with torch, Ray Tune and Optuna behind it, it takes seconds.
"""

from __future__ import annotations

from fer_tune.records import Results
from fer_tune.space import SearchSpace
from fer_tune.tuning.kept_models import retrain
from fer_tune.tuning.opening import make_search, print_header
from fer_tune.tuning.phases import check_extension, confirm, explore, frozen_choices
from fer_tune.tuning.session import Search, recorded_session

__all__ = [
    "check_extension",
    "confirm_further",
    "finish",
    "make_search",
    "print_header",
    "recorded_session",
    "resume",
]


def finish(search: Search) -> None:
    """Runs the remaining phases of a search."""
    results = search.results
    if not search.history.searched:
        explore(search)
    manifest = results.manifest()
    if manifest["startup_seconds"] is None:
        results.update_manifest(startup_seconds=_startup(results, manifest["started"]))
    seeds = max(search.space.confirm.seeds, manifest.get("confirm_asked") or 0)
    if seeds:
        confirm(search, seeds)


def resume(search: Search, larger: SearchSpace | None) -> None:
    """Runs what an earlier session left.

    Args:
        larger: the search space with a larger budget; None if the search is not extended.
    """
    if larger is not None:
        budget = larger.as_dict()["budget"]
        search.log.append("extended", budget=budget)
        search.history.extend(budget)
    _record_extension(search)
    search.recorder().repair()
    finish(search)


def confirm_further(search: Search, seeds: int | None, *, keep_models: bool) -> None:
    """Adds confirmation seeds, None for none, and trains runs again for their models."""
    search.recorder().repair()
    if seeds is not None:
        confirm(search, seeds)
    if keep_models:
        retrain(search, frozen_choices(search.results, search.space.metric, search.history))


def _record_extension(search: Search) -> None:
    """Updates the manifest after an extension in the log: earlier choices are superseded.

    Called at every resume, as a kill may have come between the two writes.
    """
    space, manifest = search.history.space, search.results.manifest()
    if manifest["space"]["budget"] == space["budget"]:
        return
    superseded = manifest["superseded"]
    if manifest["choice_frozen_at"] is not None:
        before = {key: manifest[key] for key in ("choices", "choice_frozen_at")}
        superseded = [*superseded, before]
    search.results.update_manifest(
        space=space,
        choices=[],
        choice_frozen_at=None,
        superseded=superseded,
        **dict.fromkeys(("no_gain", "used_up")),
    )


def _startup(results: Results, began: float) -> float | None:
    started = results.read("trials")["started"].dropna()
    return float(started.min()) - began if len(started) else None
