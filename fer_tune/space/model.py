"""The typed search space."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from fer_tune.errors import SpaceError
from fer_tune.space.checking.cross_field import cross_field, fits
from fer_tune.space.checking.parameter_checks import fixed_and_sampled
from fer_tune.space.checking.validation import validate
from fer_tune.space.config import TrialConfig
from fer_tune.space.domains import (
    ChoiceDomain,
    Domain,
    FloatDomain,
    Frozen,
    PerArm,
    Spec,
    same,
)
from fer_tune.space.parameters import PARAMETERS, Scalar
from fer_tune.space.sections import (
    Audit,
    Augment,
    Budget,
    Cohorts,
    Compare,
    ComputeOptions,
    Confirm,
    DataOptions,
    Name,
    Resources,
    Sampler,
    Scheduler,
    Seeds,
    Stopper,
    Text,
    Weights,
)
from fer_tune.space.specs import parse_parameters


class SearchSpace(Frozen):
    """One search: what is compared, what is sampled, and how much may be spent.

    Build it with :func:`fer_tune.space.load` or :meth:`from_dict`; the constructor leaves the
    checks between fields out.
    """

    name: Name = Field(description="Names the search.", examples=["my_search"])
    purpose: Text = Field(
        description="What the search is for, in a sentence.", examples=["Compare two backbones."]
    )
    compare: Compare
    parameters: dict[str, Spec] = Field(
        default_factory=dict, description="Values and domains of the hyperparameters."
    )
    sampler: Sampler = Field(
        default="auto",
        description="Proposes a study's trials after its random ones; auto: TPE.",
    )
    cohorts: Cohorts = Field(default_factory=Cohorts)
    budget: Budget
    stop_when: Literal["no_gain"] | None = Field(
        default=None,
        description="no_gain: end the search once more trials are expected to gain less than "
        "confirmation can resolve, in all arms; null: use up the budget.",
    )
    scheduler: Scheduler = Field(default_factory=Scheduler)
    audit: Audit = Field(default_factory=Audit)
    stopper: Stopper = Field(default_factory=Stopper)
    metric: Literal["macro_f1", "accuracy", "loss"] = Field(
        default="macro_f1", description="Validation score that ranks trials; loss is minimised."
    )
    resources: Resources = Field(default_factory=Resources)
    seeds: Seeds = Field(default_factory=Seeds)
    data: DataOptions = Field(default_factory=DataOptions)
    augment: Augment = Field(default_factory=Augment)
    weights: Weights = Field(
        default="imagenet-v1",
        description="Pretrained weights of every arm: imagenet-v1, imagenet-v2, none, or a path.",
    )
    precision: Literal["auto", "bfloat16", "float32"] = Field(
        default="auto",
        description="Number format; auto: bfloat16 where it is faster.",
    )
    compute: ComputeOptions = Field(default_factory=ComputeOptions)
    confirm: Confirm = Field(default_factory=Confirm)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, where: str = "search space") -> SearchSpace:
        """Builds from plain values (:meth:`as_dict`, or a parsed file).

        Args:
            where: what an error names, the file as a rule.

        Raises:
            SpaceError: with every fault, of single keys and between keys.
        """
        parts, faults = validate(cls, values, parsers={"parameters": parse_parameters})
        faults += cross_field(parts, faults)
        if faults:
            raise SpaceError(where, faults)
        nested: dict[str, Any] = {}
        for key, value in parts.items():
            section, _, name = key.partition(".")
            if name:
                nested.setdefault(section, {})[name] = value
            else:
                nested[section] = value
        return cls.model_validate(nested)

    def as_dict(self) -> dict[str, Any]:
        """The resolved space, defaults written out, of JSON types; ``from_dict`` inverts it."""
        return self.model_dump(mode="json")

    @property
    def conditional(self) -> frozenset[str]:
        """Parameters that some arms sample or set differently from others."""
        return frozenset(n for n, spec in self.parameters.items() if isinstance(spec, PerArm))

    def domains(self, arm: str) -> dict[str, Domain]:
        """The parameters that are sampled in ``arm``, in the order of the file."""
        assert arm in self.compare.arms, f"no arm {arm!r}"
        return fixed_and_sampled(self.parameters, arm)[1]

    def fixed(self, arm: str) -> dict[str, Any]:
        """The parameters that the file fixes in ``arm``, the compared one included."""
        assert arm in self.compare.arms, f"no arm {arm!r}"
        compared = {self.compare.parameter: self.compare.arms[arm]}
        return {**compared, **fixed_and_sampled(self.parameters, arm)[0]}

    def few_values(self, arm: str, name: str) -> list[Scalar]:
        """What trials of ``arm`` may have of a parameter, numbers in order.

        Of a range with more than six values its ends and the middle.
        """
        domain = self.domains(arm).get(name)
        if domain is None:
            return [getattr(self.config(arm, {}), name)]
        if isinstance(domain, ChoiceDomain):
            numeric = PARAMETERS[name].kind != "choice"
            return sorted(domain.values) if numeric else list(domain.values)
        if isinstance(domain, FloatDomain):
            return [domain.low, domain.high]
        whole = range(domain.low, domain.high + 1, domain.step)
        return (
            list(whole)
            if len(whole) <= 6
            else sorted({whole[0], whole[len(whole) // 2], whole[-1]})
        )

    def config(self, arm: str, sampled: Mapping[str, Any]) -> TrialConfig:
        """The complete configuration: defaults, then what the file fixes, then ``sampled``.

        Values take the type that ``TrialConfig`` declares. ``sampled`` may leave parameters out
        (they take the default) and may override fixed ones, but not the compared one.
        """
        assert self.compare.parameter not in sampled, "the arm sets the compared parameter"
        values = {**self.fixed(arm), **sampled}
        cast = {name: PARAMETERS[name].cast(value) for name, value in values.items()}
        return TrialConfig.from_dict(cast)

    def baselines(self, arm: str) -> tuple[TrialConfig, ...]:
        """The baseline configurations that are run in each study of ``arm``, in order."""
        return tuple(
            self.config(arm, {name: value for name, value in baseline.items() if name != "arm"})
            for baseline in self.cohorts.baseline
            if fits(baseline, arm)
        )

    def covers(self, arm: str, config: TrialConfig) -> bool:
        """Whether the sampler of ``arm`` could have drawn ``config`` (a baseline may lie outside).

        Parameters neither fixed nor sampled must have their default.
        """
        values = config.as_dict()
        domains = self.domains(arm)
        expected = self.config(arm, {name: values[name] for name in domains}).as_dict()
        return all(
            domains[name].contains(value) if name in domains else same(value, expected[name])
            for name, value in values.items()
        )
