"""Changed copies of the shipped manifests, and the faults that they have."""

from __future__ import annotations

from pathlib import Path

import pytest

from fer_tune.cluster.checks.checking import check
from fer_tune.cluster.shipped import find
from fer_tune.errors import ClusterFileError


def faults(path: Path, crds: Path | None = None) -> list[tuple[str, str]]:
    with pytest.raises(ClusterFileError) as caught:
        check(str(path), crds=crds)
    return [(fault.key, fault.rule) for fault in caught.value.faults]


def changed(name: str, old: str, new: str, folder: Path) -> Path:
    text = find(name).read_text(encoding="utf-8")
    assert text.count(old) == 1, old
    path = folder / f"{name}.yaml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    return path
