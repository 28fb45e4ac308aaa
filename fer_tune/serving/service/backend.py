"""What the HTTP server asks of the replicas, and how they may refuse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol


class BusyError(Exception):
    """The replicas have as much work as they may have."""


class UnavailableError(Exception):
    """There is no replica that answers; the message is the reason."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Upload:
    """An encoded picture as it was received.

    Attributes:
        name: for people; of the file, as the client says.
    """

    name: str
    content: bytes


class Backend(Protocol):
    """Predicts pictures; there is one with replicas, and one for tests."""

    async def predict(self, pictures: Sequence[Upload]) -> list[dict[str, Any]]:
        """A document per picture, see :func:`fer_tune.serving.output.document`.

        Raises:
            BusyError, UnavailableError: it was not predicted.
        """
        ...

    async def replicas(self) -> int:
        """How many replicas are running."""
        ...

    async def metrics(self) -> bytes:
        """Metrics in Prometheus's text format.

        Raises:
            UnavailableError: they cannot be read.
        """
        ...
