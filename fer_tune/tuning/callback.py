"""What all callbacks of a search have in common."""

from __future__ import annotations

from typing import Any

from ray.tune import Callback

_Callback: Any = Callback


class DriverCallback(_Callback):  # type: ignore[misc]  # hooks name but what they need
    """A callback that works on the driver alone.

    Ray calls the hooks by keyword: ``iteration``, ``trials``, and ``trial`` and ``result`` where
    there are such. Every hook takes what it needs and leaves the rest to ``**info``.
    """

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Ray pickles callbacks; nobody reads that copy
