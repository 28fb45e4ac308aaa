"""Regions of the search space that ran out of memory and are not tried again. Pure."""

from __future__ import annotations

from fer_tune.space import TrialConfig


class OomLimits:
    """Remembers, per arm, the (crop, depth) pairs that ran out of memory."""

    def __init__(self) -> None:
        self._hit: dict[str, list[tuple[int, int]]] = {}

    def record(self, arm: str, config: TrialConfig) -> None:
        self._hit.setdefault(arm, []).append((config.crop_size, config.unfreeze_depth))

    def excludes(self, arm: str, config: TrialConfig) -> bool:
        """Whether a configuration at most as large as this one has already failed in the arm."""
        return any(
            config.crop_size >= crop and config.unfreeze_depth >= depth
            for crop, depth in self._hit.get(arm, [])
        )
