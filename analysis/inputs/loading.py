"""Reads a results folder, or several as one search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from pydantic import TypeAdapter, ValidationError

from analysis.inputs.merging import merge
from analysis.inputs.search import Search
from fer_tune.errors import ResultsError, SpaceError, reading
from fer_tune.records import Results, TableName
from fer_tune.schema import InvalidJson, first_error, parse_json, read_at_most
from fer_tune.schema.limits import LATENCY_BYTES
from fer_tune.schema.manifest import ArmLatency, ArmName
from fer_tune.schema.probe import PROBE_FILE, Probe
from fer_tune.space import recorded_space
from fer_tune.storage import AnyPath

#: Columns in which a row always has a value, besides those of the table's key.
_FILLED: Mapping[TableName, tuple[str, ...]] = {
    "trials": ("arm", "replicate", "cohort", "state"),
    "epochs": ("arm", "replicate", "cohort"),
    "confusion": ("arm", "replicate", "cohort", "count"),
    "predictions": (
        *("arm", "replicate", "cohort", "picture", "true_class", "predicted_class"),
        "probabilities",
    ),
    "thumbnails": (),
}
_LATENCY = TypeAdapter(dict[ArmName, ArmLatency])
_PROBE = TypeAdapter(Probe)


def load(folders: AnyPath | str | Sequence[AnyPath | str]) -> Search:
    """Reads a results folder, or several as one search (:func:`analysis.inputs.merging.merge`).

    Tables that are not there yet become empty frames.

    Raises:
        ResultsError: a folder is not a results folder or has another schema, or the folders
            cannot be merged.
    """
    if isinstance(folders, AnyPath | str):
        return _load(folders)
    searches = [_load(folder) for folder in folders]
    if len(searches) == 1:
        return searches[0]
    return merge(searches)


def _load(folder: AnyPath | str) -> Search:
    results = Results.open(folder)
    manifest = _checked(results)
    trials, predictions = _read(results, "trials"), _read(results, "predictions")
    trials = trials[~_superseded(manifest, trials)]
    # A run that was killed or failed between its predictions and its score does not count.
    scored = trials.loc[trials["test_macro_f1"].notna(), "trial"]
    known = predictions["trial"].isin(scored) | (predictions["cohort"] == "floor")
    predictions = predictions[known]
    confirmed, tested = trials["cohort"] == "confirm", predictions["split"] == "test"
    floor = predictions["cohort"] == "floor"
    epochs = _read(results, "epochs")
    return Search(
        root=results.root,
        manifest=manifest,
        manifests=(manifest,),
        scored=(bool(len(scored)),),
        arms=_arms(manifest, trials, epochs),
        classes=tuple(str(name) for name in manifest.get("classes") or ()),
        trials=trials[~confirmed].reset_index(drop=True),
        confirmations=trials[confirmed].reset_index(drop=True),
        epochs=epochs,
        confusion=_read(results, "confusion"),
        predictions=predictions[tested & ~floor].reset_index(drop=True),
        floors=predictions[tested & floor].reset_index(drop=True),
        thumbnails=_read(results, "thumbnails"),
        latency=_latency(results.root / "latency.json"),
        probe=_document(results.root / PROBE_FILE, _PROBE, "without the probe"),
    )


def _read(results: Results, table: TableName) -> pd.DataFrame:
    return results.read(table, filled=_FILLED[table])


def _latency(path: AnyPath) -> Mapping[str, Any]:
    return _document(path, _LATENCY, "without latency") or {}


def _document(path: AnyPath, schema: TypeAdapter[Any], without: str) -> Mapping[str, Any] | None:
    """A file of JSON beside the manifest; None if there is none.

    Args:
        without: what a report lacks without it, for the remedy.
    """
    with reading(path):
        try:
            found: Mapping[str, Any] = parse_json(read_at_most(path, LATENCY_BYTES))
            schema.validate_python(found)
        except FileNotFoundError:
            return None
        except InvalidJson as error:
            raise _invalid(path, without, str(error)) from None
        except ValidationError as error:
            raise _invalid(path, without, *first_error(error)) from None
    return found


def _invalid(path: AnyPath, without: str, rule: str, value: object = None) -> ResultsError:
    return ResultsError(
        rule,
        where=str(path),
        value=value,
        remedy=f"Restore the file from a backup, or delete it to report {without}",
    )


def _checked(results: Results) -> Mapping[str, Any]:
    """The manifest, its search space under the rules of a YAML file and with all its keys."""
    manifest = results.manifest()
    if manifest.get("space") is None:
        return manifest
    try:
        space = recorded_space(manifest["space"], where=str(results.manifest_path), later=True)
    except SpaceError as error:
        fault = error.faults[0]
        key = "space" if fault.key == "space" else f"space.{fault.key}"
        raise ResultsError(
            f"{key} {fault.rule}",
            where=str(results.manifest_path),
            value=fault.value,
            remedy="Restore the file from a backup, or use the fer_tune version that wrote it",
        ) from None
    return {**manifest, "space": space.as_dict()}


def _superseded(manifest: Mapping[str, Any], trials: pd.DataFrame) -> pd.Series[bool]:
    """Confirmation runs of a choice that an extension of the search has replaced."""
    valid = {
        number for choice in manifest.get("choices") or [] for number in choice.get("runs", [])
    }
    before = {
        number
        for old in manifest.get("superseded") or []
        for choice in old["choices"]
        for number in choice.get("runs", [])
    }
    return trials["trial"].isin(before - valid)


def _arms(manifest: Mapping[str, Any], *tables: pd.DataFrame) -> tuple[str, ...]:
    """The manifest's arms, then any that only the records name."""
    declared = [str(arm) for arm in manifest.get("arms") or {}]
    seen = [str(arm) for table in tables for arm in table["arm"].unique()]
    return tuple(dict.fromkeys([*declared, *seen]))
