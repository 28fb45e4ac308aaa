"""fer_tune: distributed hyperparameter search for facial expression recognition.

::

    import analysis
    import fer_tune

    results = fer_tune.search("quickstart", "data/synthetic", "results/first", cpus=2)
    analysis.write_report(results.root)
    model = fer_tune.load_model(results.root)

Importing this package loads nothing else; see ``docs/python.md``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fer_tune.api import confirm, load_model, load_space, resume, search
    from fer_tune.data import PackedDataset

__all__ = ["PackedDataset", "confirm", "load_model", "load_space", "resume", "search"]

__version__ = "0.1.0"

_MODULES = {name: "fer_tune.api" for name in __all__} | {"PackedDataset": "fer_tune.data"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
