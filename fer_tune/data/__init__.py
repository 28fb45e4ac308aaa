"""Packed datasets: import, audit, splits, deterministic views."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fer_tune.data.audit import DatasetAudit, audit
from fer_tune.data.dataset import PackedDataset
from fer_tune.data.importing import ImportReport, import_source, preview_source
from fer_tune.data.noise import with_label_noise
from fer_tune.data.splits import Split, cut

if TYPE_CHECKING:
    from fer_tune.data.views import view_pictures

__all__ = [
    "DatasetAudit",
    "ImportReport",
    "PackedDataset",
    "Split",
    "audit",
    "cut",
    "import_source",
    "preview_source",
    "view_pictures",
    "with_label_noise",
]


def __getattr__(name: str) -> Any:
    # Views need torch, which takes seconds to import; nothing else here does.
    if name == "view_pictures":
        from fer_tune.data.views import view_pictures

        return view_pictures
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
