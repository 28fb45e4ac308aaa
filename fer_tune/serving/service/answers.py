"""The shape of answers, for the OpenAPI schema; and the answer for every kind of refusal."""

from __future__ import annotations

from pydantic import BaseModel, Field


class FaceAnswer(BaseModel):
    """One face."""

    box: list[float] | None = Field(
        description="Left, top, right, bottom in pixels; null of a picture that was taken as a "
        "whole."
    )
    face_score: float | None = Field(description="The detector's confidence, 0 to 1.")
    expression: str = Field(description="The most probable class.")
    probability: float = Field(description="Of that class, 0 to 1, calibrated.")
    uncertain: bool = Field(description="The probability is below the service's threshold.")
    probabilities: dict[str, float] = Field(description="Of every class.")


class PictureAnswer(BaseModel):
    """One picture."""

    picture: str = Field(description="The name of its file, or `picture N`.")
    error: str | None = Field(description="Why it could not be read; null if it could.")
    faces: list[FaceAnswer] = Field(description="The largest first; empty if there is none.")


class PredictAnswer(BaseModel):
    """The answer of /predict."""

    model: str = Field(description="SHA-256 of the model's weights, as in /model.")
    pictures: list[PictureAnswer]


class ModelAnswer(BaseModel):
    """The answer of /model."""

    sha256: str
    arm: str
    backbone: str
    classes: list[str]
    temperature: float
    crop_size: int
    validation_macro_f1: float
    test_macro_f1: float | None
    intended_use: str
    limits: list[str]


class HealthAnswer(BaseModel):
    """The answer of /healthz."""

    status: str
    replicas: int


class ErrorAnswer(BaseModel):
    """Why a request was refused, and what to do."""

    error: str


class RefusedError(Exception):
    """A request that is refused with one status and one sentence.

    Args:
        status: of HTTP.
        message: what is wrong and what to do.
        outcome: for metrics, a short word.
        retry_after: seconds, for those that may succeed later.
    """

    def __init__(
        self, status: int, message: str, outcome: str, *, retry_after: int | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.outcome = status, message, outcome
        self.headers: dict[str, str] = {}
        if retry_after is not None:
            self.headers["Retry-After"] = str(retry_after)
        if status == 401:
            self.headers["WWW-Authenticate"] = "Bearer"
        if status == 405:
            self.headers["Allow"] = "POST"


def busy(what: str) -> RefusedError:
    """The answer of a service with as much work as it may have."""
    return RefusedError(503, f"{what}: try again in a second", "busy", retry_after=1)
