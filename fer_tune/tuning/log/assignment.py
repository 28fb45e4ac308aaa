"""What a run is given: its identity, seeds and configuration."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from fer_tune.space import TrialConfig

#: A trial's allocation rule: a sampler, a baseline, or the confirmation of a choice.
Cohort = Literal["tpe", "qmc", "gp", "cmaes", "cqr", "random", "baseline", "confirm"]


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """One trial or confirmation run, as it travels to a worker.

    Attributes:
        number: unique in the search, in order of asking.
        seed: of this run (head, shuffle, dropout).
        weights_seed, view_seed: of the backbone's drawn weights and of the views.
    """

    number: int
    arm: str
    replicate: int
    cohort: Cohort
    seed: int
    weights_seed: int
    view_seed: int
    config: TrialConfig

    @property
    def name(self) -> str:
        """``arm/replicate/number``: in the logs and in TensorBoard."""
        return f"{self.arm}/{self.replicate}/{self.number:04d}"

    @property
    def title(self) -> str:
        """``arm/trial/crop/depth``: of its process, in Ray's dashboard and in ``top``."""
        return f"{self.arm}/{self.number:04d}/{self.config.crop_size}/{self.config.unfreeze_depth}"

    @property
    def study(self) -> str:
        return study_name(self.arm, self.replicate)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Assignment:
        config = TrialConfig.from_dict(values["config"])
        return cls(**{**values, "config": config})

    def id_columns(self) -> dict[str, Any]:
        """The identifying columns of every records table."""
        return {
            "trial": self.number,
            "arm": self.arm,
            "replicate": self.replicate,
            "cohort": self.cohort,
        }


@dataclass(frozen=True, kw_only=True)
class EarlierTrial:
    """A trial of an earlier search that samplers learn from.

    Attributes:
        is_complete: trained to its end; otherwise ASHA stopped it, or it diverged.
        epochs: that it ran.
        value: the best of the search's metric on validation.
    """

    arm: str
    config: TrialConfig
    is_complete: bool
    epochs: int
    value: float

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> EarlierTrial:
        known = {field.name: values[field.name] for field in fields(cls)}
        return cls(**{**known, "config": TrialConfig.from_dict(values["config"])})


def study_name(arm: str, replicate: int) -> str:
    return f"{arm}/{replicate}"


def derive_seed(*parts: int | str) -> int:
    """A seed in [0, 2**31) that depends on all ``parts``, the same on every machine."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1
