"""The on-disk contract between the platform and the analysis: one results folder per search.

Tables are folders of Parquet parts. A part is written whole under a dot-name and renamed into
place, so a reader at any instant sees whole parts only and a SIGKILL can tear nothing. In an
object store a part is an object, which is written whole in any case.
``pandas.read_parquet(folder)`` reads a table; :meth:`Results.read` also drops rows that a
restarted trial reported again (the last part wins).

This module knows neither torch nor Ray, so that the analysis runs on a laptop without them.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import pandas as pd
import pyarrow as pa
import pyarrow.dataset as dataset
import pyarrow.parquet as pq

from fer_tune.errors import ResultsError
from fer_tune.storage import Place, UrlPath, files_in, place, write_atomically
from fer_tune.storage.places import for_arrow

SCHEMA_VERSION = 1

TableName = Literal["trials", "epochs", "confusion", "predictions", "thumbnails"]

#: How a trial can end.
TRIAL_STATES = ("complete", "pruned", "overfit", "diverged", "oom", "failed")
#: States of trials that may be chosen for confirmation.
ELIGIBLE = ("complete", "overfit")
#: The allocation rules a trial can come from; ``floor`` stands in predictions and confusion only.
COHORTS = ("tpe", "random", "baseline", "confirm", "floor")
#: Columns of ``trials`` that hold the configuration (see ``fer_tune.space.TrialConfig``).
CONFIG_COLUMNS = (
    pa.field("backbone", pa.string()),
    pa.field("unfreeze_depth", pa.int32()),
    pa.field("crop_size", pa.int32()),
    pa.field("augment_policy", pa.string()),
    pa.field("optimizer", pa.string()),
    pa.field("lr_head", pa.float64()),
    pa.field("lr_backbone", pa.float64()),
    pa.field("weight_decay", pa.float64()),
    pa.field("momentum", pa.float64()),
    pa.field("schedule", pa.string()),
    pa.field("warmup_epochs", pa.float64()),
    pa.field("label_smoothing", pa.float64()),
    pa.field("class_weights", pa.string()),
    pa.field("dropout", pa.float64()),
    pa.field("batch_size", pa.int32()),
    pa.field("label_noise", pa.float64()),
)

_WHO = (
    pa.field("trial", pa.int32()),  # own number, unique in the search, in order of asking
    pa.field("arm", pa.string()),
    pa.field("replicate", pa.int32()),  # 0 .. R-1
    pa.field("cohort", pa.string()),
)

SCHEMAS: dict[str, pa.Schema] = {
    "trials": pa.schema(
        [
            *_WHO,
            pa.field("seed", pa.int64()),  # of this run: head, shuffle, dropout (views in confirm)
            *CONFIG_COLUMNS,
            pa.field("state", pa.string()),
            pa.field("stop_reason", pa.string()),
            pa.field("audit_epoch", pa.int32()),  # ASHA would have stopped it there; else null
            pa.field("epochs", pa.int32()),  # epochs run
            pa.field("max_epochs", pa.int32()),
            pa.field("best_epoch", pa.int32()),  # epochs count from 1; null: none was finite
            pa.field("best_val_macro_f1", pa.float64()),
            pa.field("best_val_accuracy", pa.float64()),
            pa.field("best_val_loss", pa.float64()),
            pa.field("last_val_macro_f1", pa.float64()),
            pa.field("last_val_loss", pa.float64()),
            pa.field("last_train_loss", pa.float64()),
            pa.field("onset_epoch", pa.int32()),  # null: did not overfit
            pa.field("generalisation_gap", pa.float64()),  # val loss - train loss, best epoch
            pa.field("test_macro_f1", pa.float64()),  # confirmation runs only
            pa.field("test_accuracy", pa.float64()),
            pa.field("test_clean_macro_f1", pa.float64()),
            pa.field("test_clean_accuracy", pa.float64()),
            pa.field("started", pa.float64()),  # seconds since the epoch
            pa.field("setup_seconds", pa.float64()),  # from being given to its first training step
            pa.field("seconds", pa.float64()),  # wall time of the trial's own work
            pa.field("accelerator_seconds", pa.float64()),  # seconds x share of an accelerator
            pa.field("cpu_seconds", pa.float64()),  # seconds x CPUs held
            pa.field("peak_memory_mib", pa.float64()),  # the most of all its epochs
            pa.field("node", pa.string()),
        ]
    ),
    "epochs": pa.schema(
        [
            *_WHO,
            pa.field("epoch", pa.int32()),  # from 1
            pa.field("train_loss", pa.float64()),
            pa.field("train_accuracy", pa.float64()),
            pa.field("train_macro_f1", pa.float64()),
            pa.field("val_loss", pa.float64()),
            pa.field("val_accuracy", pa.float64()),
            pa.field("val_macro_f1", pa.float64()),
            pa.field("lr_head", pa.float64()),
            pa.field("lr_backbone", pa.float64()),
            pa.field("seconds", pa.float64()),
            pa.field("images_per_s", pa.float64()),
            pa.field("bank_hits", pa.int32()),  # feature files of this epoch found ready
            pa.field("bank_misses", pa.int32()),
            pa.field("peak_memory_mib", pa.float64()),  # of this epoch alone
        ]
    ),
    "confusion": pa.schema(
        [
            *_WHO,
            pa.field("split", pa.string()),  # "validation" or, in confirmation, "test"
            pa.field("subset", pa.string()),  # "all" or "clean" (no leaked, no conflicting picture)
            pa.field("epoch", pa.int32()),  # the best epoch, at which it was counted
            pa.field("true_class", pa.string()),
            pa.field("predicted_class", pa.string()),
            pa.field("count", pa.int64()),
        ]
    ),
    "predictions": pa.schema(
        [
            *_WHO,
            pa.field("seed", pa.int64()),
            pa.field("split", pa.string()),
            pa.field("picture", pa.string()),  # content hash
            pa.field("position", pa.int64()),  # row of the packed dataset
            pa.field("true_class", pa.string()),
            pa.field("predicted_class", pa.string()),
            pa.field("probabilities", pa.list_(pa.float32())),  # in the manifest's class order
            pa.field("leaked", pa.bool_()),  # a copy stands in the source's training or validation
            pa.field("conflicting", pa.bool_()),  # a copy carries another label
            pa.field("blank", pa.bool_()),
        ]
    ),
    "thumbnails": pa.schema([pa.field("picture", pa.string()), pa.field("png", pa.binary())]),
}

#: Rows with the same key are one row; the last part wins.
KEYS: dict[str, list[str]] = {
    "trials": ["trial"],
    "epochs": ["trial", "epoch"],
    "confusion": ["trial", "split", "subset", "true_class", "predicted_class"],
    "predictions": ["trial", "split", "position"],
    "thumbnails": ["picture"],
}


class Results:
    """A results folder on a path or at a URL. Many may read at once; the driver alone appends.

    Attributes:
        root: the folder, a ``Path`` or a ``fer_tune.storage.UrlPath``.

    Raises:
        ResultsError: on opening (:meth:`open`) a folder that is no results folder or has
            another schema.
    """

    def __init__(self, root: Place | str) -> None:
        self.root: Place = place(root)

    @classmethod
    def open(cls, root: Place | str) -> Results:
        """Opens an existing results folder after checking its manifest's schema version."""
        results = cls(root)
        version = results.manifest().get("schema_version")
        if version != SCHEMA_VERSION:
            raise ResultsError(
                f"results folder has schema version {version}, this version reads {SCHEMA_VERSION}",
                where=str(results.root),
                remedy="Use the fer_tune version that wrote it (named in manifest.json)",
            )
        return results

    # -- manifest ---------------------------------------------------------------------------

    @property
    def manifest_path(self) -> Place:
        return self.root / "manifest.json"

    def manifest(self) -> dict[str, Any]:
        """The manifest as written last (see ``docs/architecture.md`` for its keys)."""
        try:
            loaded = json.loads(self.manifest_path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            raise self._none_here() from None
        except OSError as error:
            raise _unread(self.manifest_path, error) from None
        except ValueError:  # no JSON, or no UTF-8
            raise ResultsError(
                "manifest.json is cut short or not valid JSON",
                where=str(self.manifest_path),
                remedy="Restore the file from a copy, or search again",
            ) from None
        if not isinstance(loaded, dict):
            raise ResultsError(
                "manifest.json holds no mapping",
                where=str(self.manifest_path),
                value=type(loaded).__name__,
                remedy="Restore the file from a copy, or search again",
            )
        return loaded

    def _none_here(self) -> ResultsError:
        what = "no manifest.json here, so this is not a results folder"
        if isinstance(self.root, UrlPath) and not self.root.has_bucket():
            what = "there is no such bucket"
        return ResultsError(
            what,
            where=str(self.root),
            remedy="Name the folder that `fer-tune search` printed",
        )

    def write_manifest(self, manifest: Mapping[str, Any]) -> None:
        text = json.dumps({**manifest, "schema_version": SCHEMA_VERSION}, indent=2)
        write_atomically(self.manifest_path, text + "\n")

    def update_manifest(self, **changes: Any) -> dict[str, Any]:
        """Replaces top-level keys; returns the manifest as written."""
        manifest = {**self.manifest(), **changes}
        self.write_manifest(manifest)
        return manifest

    # -- tables -----------------------------------------------------------------------------

    def folder(self, table: TableName) -> Place:
        return self.root / f"{table}.parquet"

    def append(
        self, table: TableName, rows: Iterable[Mapping[str, Any]], *, part: str
    ) -> Place | None:
        """Writes one part with ``rows``; absent columns become null, unknown ones are refused.

        Args:
            part: name of the part, without suffix; one that is there is replaced, so that what is
                written again does not stand twice.
        """
        rows = list(rows)
        if not rows:
            return None
        schema = SCHEMAS[table]
        unknown = {name for row in rows for name in row} - set(schema.names)
        assert not unknown, f"columns that {table} does not have: {sorted(unknown)}"
        buffer = io.BytesIO()
        pq.write_table(pa.Table.from_pylist([dict(r) for r in rows], schema=schema), buffer)
        target = self.folder(table) / f"{part}.parquet"
        write_atomically(target, buffer.getvalue(), flushed=False)
        return target

    def parts(self, table: TableName) -> set[str]:
        """Names of the parts that have been written, without suffix."""
        return {file.name.removesuffix(".parquet") for file in self._parts(table)}

    def remove(self, table: TableName, part: str) -> None:
        """Takes back the part of that name, if it was written."""
        (self.folder(table) / f"{part}.parquet").unlink(missing_ok=True)

    def _parts(self, table: TableName) -> list[Place]:
        try:
            return files_in(self.folder(table), ".parquet")
        except OSError as error:
            raise _unread(self.folder(table), error) from None

    def read(self, table: TableName) -> pd.DataFrame:
        """A table as a frame with the schema's columns, one row per key, last part wins.

        An absent table is an empty frame, so that unfinished searches can be read.
        """
        schema = SCHEMAS[table]
        parts = self._parts(table)
        if not parts:
            empty: pd.DataFrame = schema.empty_table().to_pandas()
            return empty
        whole = _read_parts(parts, schema)
        frame: pd.DataFrame = whole.to_pandas().drop_duplicates(KEYS[table], keep="last")
        by = [c for c in ("trial", "epoch") if c in KEYS[table]]
        return (frame.sort_values(by, kind="stable") if by else frame).reset_index(drop=True)


def _read_parts(parts: Sequence[Place], schema: pa.Schema) -> pa.Table:
    """The rows of all parts in their order; columns that a part lacks are null."""
    try:
        names, filesystem = for_arrow(parts)
        found = dataset.dataset(names, schema=schema, format="parquet", filesystem=filesystem)
        return found.to_table()
    except (pa.ArrowException, OSError):
        # One by one takes longer, and tells which one it is; a store is asked again.
        return pa.concat_tables([_read_part(p, schema) for p in parts])


def _read_part(path: Place, schema: pa.Schema) -> pa.Table:
    try:
        return pq.read_table(pa.BufferReader(path.read_bytes()), schema=schema)
    except (pa.ArrowException, OSError) as error:
        if isinstance(path, UrlPath) and isinstance(error, OSError) and error.errno is not None:
            raise _unread(path, error) from None
        raise ResultsError(
            f"cannot be read, it is cut short or no Parquet: {str(error).splitlines()[0]}",
            where=str(path),
            remedy="Restore it from a copy, or remove it and its rows are left out",
        ) from None


def _unread(path: Place, error: OSError) -> ResultsError:
    return ResultsError(
        f"cannot be read: {error.strerror or error}",
        where=str(path),
        remedy="Check the path and its rights",
    )
