"""What a worker does before it opens anything: it sees to it that its node has the files."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import ray

from fer_tune.data import PackedDataset
from fer_tune.errors import DataError, WeightsError
from fer_tune.models import backbone, file_fingerprint, locate
from fer_tune.training.context import TrialContext
from fer_tune.tuning.copies import cache_folder
from fer_tune.tuning.depot import pieces_from
from fer_tune.tuning.settings import WorkerSettings
from fer_tune.tuning.staging import Bundle, Kind, stage


def provided(settings: WorkerSettings) -> WorkerSettings:
    """``settings`` with the paths of this node's own files.

    What stands at the driver's path here too, with the same fingerprint, is used as it is: the
    same machine, or a shared folder. Everything else is copied from the depot, once per node.

    Raises:
        EnvironmentFault: the node cannot keep a copy.
    """
    depot, context = settings.depot, settings.context
    if depot is None:
        return settings
    if not _has_dataset(context):
        context = replace(context, dataset=str(_staged(depot, _bundle(depot, "dataset"))))
    if context.weights != "none":
        weights = _bundle(depot, "weights")
        if not _has_weights(context.weights, weights):
            context = replace(context, weights=str(_staged(depot, weights)))
    return replace(settings, context=context)


def _has_dataset(context: TrialContext) -> bool:
    try:
        return PackedDataset.open(context.dataset).fingerprint == context.fingerprint
    except DataError:
        return False


def _has_weights(weights: str, bundle: Bundle) -> bool:
    """Whether this node finds the same file for every backbone by itself."""
    for file in bundle.files:
        try:
            path = locate(backbone(Path(file.name).stem), weights)
        except WeightsError:
            return False
        assert path is not None
        if path.stat().st_size != file.size or file_fingerprint(path) != file.sha256:
            return False
    return True


def _bundle(depot: Any, kind: Kind) -> Bundle:
    bundle: Bundle = ray.get(depot.bundle.remote(kind))
    return bundle


def _staged(depot: Any, bundle: Bundle) -> Path:
    return stage(bundle, cache_folder(), partial(pieces_from, depot, bundle.kind))
