"""A search in the ledger of test-split readings, and what its manifest says of them."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from rich.console import Console

from fer_tune.console import say
from fer_tune.data import PackedDataset
from fer_tune.data.readings import record_reading
from fer_tune.records import Results
from fer_tune.storage import is_url

#: Earlier searches that a manifest names.
_NAMED = 1_000


def record_test_reading(dataset: PackedDataset, results: Results, console: Console) -> None:
    """Counts this search in the ledger, once however often it is resumed, before it reads test.

    The manifest keeps what had been read before. A ledger that cannot be used is reported.
    """
    manifest = results.manifest()
    reader = reader_id(manifest)
    is_copy = is_url(manifest["dataset"]["path"])
    found = record_reading(dataset, "search", reader, str(manifest["name"]), is_copy=is_copy)
    for problem in found.problems:
        say(console, f"warning: {problem}", wrap=True)
    known = dict(manifest.get("test_readings") or {})
    if known.get("id") == reader:
        return
    earlier = found.before(reader)
    searches = [one.id for one in earlier if one.kind == "search"]
    results.update_manifest(
        test_readings={
            "fingerprint": found.test,
            "id": reader,
            "searches": searches[-_NAMED:],
            "evaluations": sum(one.kind == "evaluation" for one in earlier),
            "raised": known.get("raised", []),
        }
    )
    if searches:
        say(
            console,
            f"{len(searches)} other {'search has' if len(searches) == 1 else 'searches have'} "
            "read this test split before; the report says what that does to the error rate.",
            wrap=True,
        )


def record_raised_seeds(results: Results, seeds: int) -> None:
    """Records in the manifest that seeds are added after scores of fewer were shown."""
    manifest = results.manifest()
    before = len(manifest.get("confirm_seeds") or [])
    if not 0 < before < seeds:
        return
    known = dict(manifest.get("test_readings") or {})
    raised = known.get("raised", [])
    new = {"before": before, "after": seeds}
    if new not in raised:  # a resume of the session that raised them does so again
        results.update_manifest(test_readings={**known, "raised": [*raised, new]})


def reader_id(manifest: dict[str, Any]) -> str:
    """The same for every session of a search, wherever its folder is moved: 32 hex digits."""
    space = {key: value for key, value in manifest["space"].items() if key != "budget"}
    parts = [manifest["dataset"]["fingerprint"], manifest["started"], space]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]
