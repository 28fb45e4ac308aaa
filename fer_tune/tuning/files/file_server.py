"""The actor on the driver's machine from which nodes get the files that they lack.

It reads nothing before the first request. Then every file is put into Ray's object store once,
in chunks; later nodes get them from any node that has them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from fer_tune.data import PackedDataset
from fer_tune.data.dataset import DESCRIPTION, INDEX, PIXELS
from fer_tune.space import SearchSpace
from fer_tune.tuning.files.node_cache import Bundle, Kind

#: Bytes of an object; a node holds one of them in memory at a time.
CHUNK = 64 * 2**20


class FileServer:
    """Serves files of the machine it runs on.

    Args:
        paths: by kind of bundle and name in the bundle.
        chunk: bytes of an object.
    """

    def __init__(self, paths: Mapping[Kind, Mapping[str, Path]], chunk: int = CHUNK) -> None:
        self._paths, self._chunk = paths, chunk
        self._bundles: dict[Kind, Bundle] = {}
        self._chunks: dict[Path, list[Any]] = {}

    def bundle(self, kind: Kind) -> Bundle:
        """Names, sizes and checksums."""
        if kind not in self._bundles:
            self._bundles[kind] = Bundle.of(kind, self._paths[kind])
        return self._bundles[kind]

    def chunks(self, kind: Kind, name: str) -> list[Any]:
        """References to a file's bytes, in order; each a uint8 array."""
        path = self._paths[kind][name]
        if path not in self._chunks:
            with path.open("rb") as file:
                pieces = iter(lambda: file.read(self._chunk), b"")
                self._chunks[path] = [ray.put(np.frombuffer(piece, np.uint8)) for piece in pieces]
        return self._chunks[path]


def start_file_server(
    space: SearchSpace, dataset: PackedDataset, *, chunk: int = CHUNK
) -> ray.actor.ActorHandle[FileServer]:
    """A file server of the search's dataset and weights on this machine; it ends with its handle.

    Raises:
        WeightsError: an arm's weights are not on this machine.
    """
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    actor: Any = ray.remote(FileServer)
    file_server: ray.actor.ActorHandle[FileServer] = actor.options(
        num_cpus=0, scheduling_strategy=here, max_restarts=-1, max_task_retries=-1
    ).remote(files_of(space, dataset), chunk)
    return file_server


def files_of(space: SearchSpace, dataset: PackedDataset) -> dict[Kind, dict[str, Path]]:
    """What a node needs: the packed dataset, and each backbone's weights under its own name."""
    # Imported here, as the file server itself needs no torch.
    from fer_tune.models.registry import backbone
    from fer_tune.models.weights import locate

    root = dataset.root.resolve()
    weights: dict[str, Path] = {}
    for arm in space.compare.arms:
        entry = backbone(space.config(arm, {}).backbone)
        path = locate(entry, space.weights)
        if path is not None:
            # The two suffixes that `locate` finds in a folder; all but safetensors is read alike.
            suffix = path.suffix if path.suffix == ".safetensors" else ".pth"
            weights[f"{entry.name}{suffix}"] = path.resolve()
    return {
        "dataset": {name: root / name for name in (DESCRIPTION, INDEX, PIXELS)},
        "weights": weights,
    }


def pieces_from(
    file_server: ray.actor.ActorHandle[FileServer], kind: Kind, name: str
) -> Iterator[memoryview]:
    """A file's bytes, a chunk at a time, as they come from the object store."""
    references: list[Any] = ray.get(file_server.chunks.remote(kind, name))
    for reference in references:
        chunk: np.ndarray[Any, Any] = ray.get(reference)
        yield memoryview(chunk)
