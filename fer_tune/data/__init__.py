"""From pictures anywhere to one packed dataset: import, audit, splits, deterministic views."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fer_tune.data.audit import Audit, audit
from fer_tune.data.dataset import PackedDataset
from fer_tune.data.importing import ImportReport, import_source
from fer_tune.data.noise import noised
from fer_tune.data.splits import Split, cut

if TYPE_CHECKING:
    from fer_tune.data.views import view_pictures

__all__ = [
    "Audit",
    "ImportReport",
    "PackedDataset",
    "Split",
    "audit",
    "cut",
    "import_source",
    "noised",
    "view_pictures",
]


def __getattr__(name: str) -> Any:
    # Views need torch, which takes seconds to import; nothing else here does.
    if name == "view_pictures":
        from fer_tune.data.views import view_pictures

        return view_pictures
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
