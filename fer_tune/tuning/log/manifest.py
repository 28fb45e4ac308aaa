"""The manifest of a new search: everything that is known before the first trial."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any

import numpy as np

from fer_tune.data import PackedDataset, Split, audit
from fer_tune.data.audit import AUDIT_VERSION
from fer_tune.process.cpus import available_cpus
from fer_tune.records import SCHEMA_VERSION
from fer_tune.space import SearchSpace
from fer_tune.storage import UrlPath, without_secrets
from fer_tune.training.context import TRAINING_VERSION
from fer_tune.tuning.log.assignment import EarlierTrial
from fer_tune.tuning.log.events import BUDGET_VERSION

_LIBRARIES = (
    "fer-tune",
    "ray",
    "torch",
    "torchvision",
    "optuna",
    "numpy",
    "pandas",
    "pyarrow",
    "scikit-learn",
)


def first_manifest(
    space: SearchSpace,
    dataset: PackedDataset,
    split: Split,
    started: float,
    data: UrlPath | None = None,
    prediction: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The manifest of a new search (keys: ``docs/architecture/records.md``).

    Args:
        data: the URL that ``dataset`` is a copy of; None where it is no copy.
        prediction: of ``fer-tune plan`` or ``simulate``, for the report.
    """
    return {
        "state": "running",
        "name": space.name,
        "command": [without_secrets(word) for word in sys.argv],
        "started": started,
        "ended": None,
        "wall_seconds": None,
        "space": space.as_dict(),
        "dataset": {
            "path": str(data or dataset.root.resolve()),
            "fingerprint": dataset.fingerprint,
            "audit": audit(dataset).as_dict(),
        },
        "classes": list(dataset.classes),
        "splits": _splits(dataset, split),
        "arms": {arm: _arm(space, arm) for arm in space.compare.arms},
        "versions": versions(),
        "hardware": hardware(),
        "seeds": space.seeds.model_dump(),
        "training_version": TRAINING_VERSION,
        "audit_version": AUDIT_VERSION,
        "budget_version": BUDGET_VERSION,
        "startup_seconds": None,
        "choices": [],
        "choice_frozen_at": None,
        "first_test_read_at": None,
        "confirm_seeds": [],
        "confirm_asked": None,
        "superseded": [],
        "prediction": prediction,
        "sittings": 1,
    }


def identity(manifest: Mapping[str, Any], earlier: Sequence[EarlierTrial] = ()) -> dict[str, Any]:
    """What must be unchanged at a resume: the first line of the event log.

    Args:
        earlier: trials of earlier searches that the samplers learn from.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "training_version": manifest["training_version"],
        "audit_version": manifest["audit_version"],
        "budget_version": manifest["budget_version"],
        "fingerprint": manifest["dataset"]["fingerprint"],
        "space": manifest["space"],
        **({"earlier": [trial.as_dict() for trial in earlier]} if earlier else {}),
    }


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that results depend on."""
    found = {"python": platform.python_version()}
    for library in _LIBRARIES:
        try:
            found[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            found[library] = "not installed as a package"
    return found


def hardware() -> dict[str, Any]:
    """Processor, memory and accelerators of this machine."""
    import torch

    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {
        "machine": platform.machine(),
        "system": platform.system(),
        "cpus": available_cpus(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "gpus": gpus,
    }


def _splits(dataset: PackedDataset, split: Split) -> dict[str, Any]:
    def counts(positions: Any) -> dict[str, int]:
        number = np.bincount(dataset.labels[positions], minlength=len(dataset.classes))
        return {name: int(n) for name, n in zip(dataset.classes, number, strict=True)}

    clean = ~(split.leaked[split.test] | split.conflicting[split.test])
    return {
        "train": len(split.train),
        "validation": len(split.validation),
        "test": len(split.test),
        "test_clean": int(clean.sum()),
        "dropped": split.dropped,
        "train_counts": counts(split.train),
        "validation_counts": counts(split.validation),
        "test_counts": counts(split.test),
    }


def _arm(space: SearchSpace, arm: str) -> dict[str, Any]:
    import torch

    from fer_tune.models.registry import backbone
    from fer_tune.models.weights import file_fingerprint, locate

    name = space.config(arm, {}).backbone
    with torch.device("meta"):
        parameters = sum(p.numel() for p in backbone(name).module().parameters())
    path = locate(backbone(name), space.weights)
    return {
        "value": space.compare.arms[arm],
        "backbone": name,
        "weights": space.weights,
        "weights_sha256": None if path is None else file_fingerprint(path),
        "parameters": parameters,
    }
