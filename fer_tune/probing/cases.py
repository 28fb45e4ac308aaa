"""Which features of a search space are probed. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from fer_tune.errors import UserError
from fer_tune.space import SearchSpace, TrialConfig


@dataclass(frozen=True, kw_only=True)
class Case:
    """Features of one arm.

    Attributes:
        config: of unfreeze depth 0; besides backbone, crop size and augmentation without meaning.
    """

    arm: str
    config: TrialConfig

    @property
    def features(self) -> tuple[str, int, str]:
        """What the features depend on: arms that agree in it have the same ones."""
        return self.config.backbone, self.config.crop_size, self.config.augment_policy


def cases(space: SearchSpace, arms: Sequence[str] = (), crops: Sequence[int] = ()) -> list[Case]:
    """The cases of a search space, by arm and crop size.

    The augmentation is the first that the arm may sample.

    Args:
        arms: of the space; all by default.
        crops: sizes in pixels; those that the arm may sample by default.

    Raises:
        UserError: an arm that the space does not have, or crop sizes where these are the arms.
    """
    if unknown := [arm for arm in arms if arm not in space.compare.arms]:
        raise UserError(
            "is no arm of the search space",
            where="--arm",
            value=unknown[0],
            remedy=f"Its arms are {', '.join(space.compare.arms)}",
        )
    if crops and space.compare.parameter == "crop_size":
        raise UserError(
            "the arms of the search space are crop sizes",
            where="--crop",
            value=crops[0],
            remedy="Choose among them with --arm",
        )
    return [
        Case(arm=arm, config=_config(space, arm, crop))
        for arm in dict.fromkeys(arms or space.compare.arms)
        for crop in dict.fromkeys(crops or map(int, space.few_values(arm, "crop_size")))
    ]


def _config(space: SearchSpace, arm: str, crop: int) -> TrialConfig:
    policy = str(space.few_values(arm, "augment_policy")[0])
    config = space.config(arm, {})
    return replace(config, unfreeze_depth=0, crop_size=crop, augment_policy=policy, label_noise=0.0)
