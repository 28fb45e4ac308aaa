"""The settings of a service: of the command's options, or of `args` in a Serve config file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from fer_tune.errors import UserError
from fer_tune.schema import first_error
from fer_tune.serving.service.limits import Limits
from fer_tune.serving.service.recognition import Recognising

#: Batches per replica that may wait or be predicted: one of each is enough to keep it busy.
_BATCHES = 2
_MIB = 2**20


class ServiceSettings(BaseModel):
    """Attributes:
    model: model folder, results folder or their URL, as the replicas see it.
    replicas: processes that predict.
    cpus: of each.
    gpus: of each; a share of one, a whole number, or 0 for the CPU.
    batch: requests that a replica predicts together at most.
    batch_wait: seconds for which a request waits for others.
    waiting: requests that may wait for their answer; by default two batches per replica.
    faces, threshold: as of ``fer-tune predict``.
    max_body: MiB of one request.
    max_pixels: millions, of one picture.
    gateways: on a cluster's own proxies, processes that check requests before the replicas.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    model: Annotated[str, Field(min_length=1)]
    replicas: Annotated[int, Field(ge=1, le=1_000)] = 1
    cpus: Annotated[float, Field(gt=0, le=1_000)] = 1
    gpus: Annotated[float, Field(ge=0, le=16)] = 0
    batch: Annotated[int, Field(ge=1, le=1_024)] = 16
    batch_wait: Annotated[float, Field(ge=0, le=10)] = 0.01
    waiting: Annotated[int | None, Field(ge=1, le=100_000)] = None
    faces: Literal["auto", "always", "never"] = "auto"
    threshold: Annotated[float, Field(ge=0, le=1)] = 0.5
    max_body: Annotated[float, Field(gt=0, le=512)] = 20
    max_pixels: Annotated[float, Field(gt=0, le=89)] = 32
    gateways: Annotated[int, Field(ge=1, le=1_000)] = 1

    @classmethod
    def of(cls, values: Mapping[str, Any], where: str) -> Self:
        """The settings in a mapping.

        Args:
            where: what it is, for the message.

        Raises:
            UserError: unknown settings, or values outside their range.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            rule, value = first_error(error)
            raise UserError(rule, where=where, value=value, remedy="See docs/serve.md") from None

    @field_validator("gpus")
    @classmethod
    def _whole(cls, gpus: float) -> float:
        if gpus > 1 and not gpus.is_integer():
            raise ValueError("must be a share of one GPU, or a whole number")
        return gpus

    @property
    def limits(self) -> Limits:
        """Of the service, or of each of its gateways."""
        body = int(self.max_body * _MIB)
        waiting = self.waiting or _BATCHES * self.batch * self.replicas
        return Limits(
            body_bytes=body,
            all_bodies_bytes=max(Limits.all_bodies_bytes, 2 * body),
            pixels=int(self.max_pixels * 1e6),
            waiting=waiting,
        )

    @property
    def ongoing(self) -> int:
        """Requests that a replica holds: a batch in work and one that is collected."""
        return _BATCHES * self.batch

    @property
    def recognising(self) -> Recognising:
        return Recognising(
            faces=self.faces,
            threshold=self.threshold,
            pixels=int(self.max_pixels * 1e6),
            gpus=self.gpus,
            threads=max(1, int(self.cpus)),
        )
