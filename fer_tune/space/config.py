"""One sampled configuration, complete with the defaults of what was not sampled."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True, kw_only=True)
class TrialConfig:
    """Everything of a trial that a search space may sample.

    Attributes:
        backbone: a name of ``fer_tune.models.BACKBONES``.
        unfreeze_depth: 0 to 5 stages trained, counted from the head (0 is the head alone).
        crop_size: side of the square that the network sees, in pixels (32 to 512).
        augment_policy: ``plain``, ``moderate`` or ``strong``.
        optimizer: ``adamw`` or ``sgd``.
        lr_head, lr_backbone: peak learning rates of the head and of the unfrozen backbone (> 0).
        weight_decay: decoupled with AdamW, added to the gradient with SGD (>= 0).
        momentum: of SGD, in [0, 1); AdamW ignores it.
        schedule: ``cosine`` (to zero at the last epoch) or ``constant``.
        warmup_epochs: linear warm-up from zero, in epochs (>= 0).
        label_smoothing: in [0, 1).
        class_weights: ``none`` or ``balanced`` (by class: inverse frequency, mean 1 over pictures).
        dropout: before the head, in [0, 1).
        batch_size: pictures per optimiser step (>= 2).
        label_noise: share of the training pictures that carry a wrong label, in [0, 1); the means
            of control experiments.
    """

    backbone: str
    unfreeze_depth: int = 1
    crop_size: int = 48
    augment_policy: str = "plain"
    optimizer: str = "adamw"
    lr_head: float = 1e-3
    lr_backbone: float = 1e-4
    weight_decay: float = 1e-2
    momentum: float = 0.9
    schedule: str = "cosine"
    warmup_epochs: float = 0.0
    label_smoothing: float = 0.0
    class_weights: str = "none"
    dropout: float = 0.0
    batch_size: int = 64
    label_noise: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> TrialConfig:
        """Builds from a mapping; keys that are not parameters are ignored."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in values.items() if name in known})
