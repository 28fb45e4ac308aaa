"""Makes sure that a worker's node has the files, before the worker opens any."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import ray

from fer_tune.data import PackedDataset
from fer_tune.errors import DataError, WeightsError
from fer_tune.training.context import TrialContext
from fer_tune.tuning.files.file_server import pieces_from
from fer_tune.tuning.files.local_cache import cache_folder
from fer_tune.tuning.files.node_cache import Bundle, Kind, node_copy
from fer_tune.tuning.settings import WorkerSettings


def with_node_files(settings: WorkerSettings) -> WorkerSettings:
    """``settings`` with the paths of this node's own files.

    Files at the driver's path with the same fingerprint are used directly: the same machine, or a
    shared folder. All others are copied from the file server, once per node.

    Raises:
        EnvironmentFault: the node cannot keep a copy.
    """
    file_server, context = settings.file_server, settings.context
    if file_server is None:
        return settings
    if not _has_dataset(context):
        context = replace(
            context, dataset=str(_node_copy(file_server, _bundle(file_server, "dataset")))
        )
    if context.weights != "none":
        weights = _bundle(file_server, "weights")
        if not _has_weights(context.weights, weights):
            context = replace(context, weights=str(_node_copy(file_server, weights)))
    return replace(settings, context=context)


def _has_dataset(context: TrialContext) -> bool:
    try:
        return PackedDataset.open(context.dataset).fingerprint == context.fingerprint
    except DataError:
        return False


def _has_weights(weights: str, bundle: Bundle) -> bool:
    """Whether this node finds the same file for every backbone by itself."""
    # Imported here, as nothing else needs torch.
    from fer_tune.models.registry import backbone
    from fer_tune.models.weights import file_fingerprint, locate

    for file in bundle.files:
        try:
            path = locate(backbone(Path(file.name).stem), weights)
        except WeightsError:
            return False
        assert path is not None
        if path.stat().st_size != file.size or file_fingerprint(path) != file.sha256:
            return False
    return True


def _bundle(file_server: Any, kind: Kind) -> Bundle:
    bundle: Bundle = ray.get(file_server.bundle.remote(kind))
    return bundle


def _node_copy(file_server: Any, bundle: Bundle) -> Path:
    return node_copy(bundle, cache_folder(), partial(pieces_from, file_server, bundle.kind))
