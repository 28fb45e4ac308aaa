"""A service without replicas: its backend answers at once, or when a test lets it."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx
import numpy as np
from PIL import Image

from fer_tune.serving.service.app import about, make_app
from fer_tune.serving.service.backend import Upload
from fer_tune.serving.service.gateway import Gateway, Load
from fer_tune.serving.service.limits import Limits
from tests.serving.small_models import small_card

TOKEN = "0123456789abcdef0123456789abcdef"
JPEG = {"Content-Type": "image/jpeg"}


class FakeBackend:
    """Answers with the size of each picture; those that begin with ``bad`` cannot be read."""

    def __init__(self) -> None:
        self.seen: list[list[Upload]] = []
        self.error: Exception | None = None
        self.open = asyncio.Event()
        self.open.set()
        self.count = 1

    async def predict(self, pictures: Sequence[Upload]) -> list[dict[str, Any]]:
        self.seen.append(list(pictures))
        await self.open.wait()
        if self.error is not None:
            raise self.error
        return [self._document(one) for one in pictures]

    def _document(self, picture: Upload) -> dict[str, Any]:
        error = "not an image" if picture.content.startswith(b"bad") else None
        return {"picture": picture.name, "error": error, "faces": []}

    async def replicas(self) -> int:
        return self.count

    async def metrics(self) -> bytes:
        return b"ray_fer_tune_requests 1\n"


class Service:
    """The application behind its gateway, and a client of it."""

    def __init__(
        self, limits: Limits | None = None, *, token: str | None = None, local: bool = False
    ) -> None:
        self.limits = limits or Limits()
        self.backend = FakeBackend()
        self.load = Load.within(self.limits)
        self.observed: list[tuple[str, int]] = []
        card = small_card()
        self.gateway = Gateway(
            app=make_app(self.backend, about(card), self.limits, self.load),
            limits=self.limits,
            load=self.load,
            token=token,
            local=local,
            observe=lambda path, status, seconds: self.observed.append((path, status)),
        )

    def client(self) -> httpx.AsyncClient:
        # Errors of the application must be its own answers.
        transport = httpx.ASGITransport(self.gateway, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://localhost")

    def ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        async def once() -> httpx.Response:
            async with self.client() as client:
                return await client.request(method, path, **request)

        return asyncio.run(once())

    def predict(self, content: bytes = b"picture", **headers: str) -> httpx.Response:
        return self.ask("POST", "/predict", content=content, headers={**JPEG, **headers})


async def chunks(count: int, size: int, sent: list[int], pause: float = 0) -> AsyncIterator[bytes]:
    """A body of unknown length; notes what was taken of it."""
    for _ in range(count):
        await asyncio.sleep(pause)
        sent.append(size)
        yield b"x" * size


def png(side: int = 40, seed: int = 0) -> bytes:
    """A grey picture of noise."""
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()
