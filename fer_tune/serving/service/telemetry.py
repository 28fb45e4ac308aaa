"""Metrics of a service, exported through Ray like those of a search.

Every node of a Ray cluster serves them on its metrics port, under these names with the prefix
``ray_``; ``/metrics`` of a service passes on those of its own machine.
"""

from __future__ import annotations

import asyncio
import urllib.request
from collections.abc import Iterator
from http.client import HTTPException
from urllib.error import HTTPError

import ray
from ray.exceptions import RayError
from ray.util import metrics

from fer_tune.errors import because
from fer_tune.serving.service.backend import UnavailableError
from fer_tune.serving.service.gateway import Load

#: Boundaries of histograms: seconds of a request, pictures of a batch, seconds of a batch.
_SECONDS: list[float] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120]
_PICTURES: list[float] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
#: Metrics that /metrics passes on, of the hundreds that Ray has.
_OURS = ("ray_fer_tune_", "ray_serve_")
_SCRAPE_S = 5.0
#: This machine is reached without a proxy, whatever HTTP_PROXY says.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class RequestMetrics:
    """Counts requests, see :data:`fer_tune.serving.service.gateway.Observe`."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._requests = metrics.Counter(
            "fer_tune_requests",
            "Requests to the service by address and HTTP status",
            ("path", "status"),
        )
        self._seconds = metrics.Histogram(
            "fer_tune_request_seconds",
            "Seconds from a request's head to its answer",
            boundaries=_SECONDS,
            tag_keys=("path", "status"),
        )
        self._waiting = metrics.Gauge(
            "fer_tune_requests_waiting", "Accepted requests without an answer"
        )
        self._bodies = metrics.Gauge(
            "fer_tune_request_body_bytes", "Bytes of request bodies in memory"
        )

    def __call__(self, path: str, status: int, seconds: float) -> None:
        tags = {"path": path, "status": str(status)}
        self._requests.inc(1, tags)
        self._seconds.observe(seconds, tags)
        self._waiting.set(self._load.waiting.used)
        self._bodies.set(self._load.bodies.used)


class BatchMetrics:
    """Counts what a replica predicts."""

    def __init__(self) -> None:
        self._pictures = metrics.Histogram(
            "fer_tune_batch_pictures", "Pictures predicted together", boundaries=_PICTURES
        )
        self._seconds = metrics.Histogram(
            "fer_tune_batch_seconds", "Seconds to predict a batch", boundaries=_SECONDS
        )

    def observe(self, pictures: int, seconds: float) -> None:
        self._pictures.observe(pictures)
        self._seconds.observe(seconds)


async def exported() -> bytes:
    """The service's metrics as this machine's Ray exports them, in Prometheus's format.

    Raises:
        UnavailableError: they cannot be read.
    """
    try:
        return await asyncio.to_thread(_scraped)
    except (OSError, HTTPException, RayError, ValueError) as error:
        if isinstance(error, HTTPError):
            error.close()
        raise UnavailableError(f"the metrics of Ray cannot be read: {because(error)}") from None


def _scraped() -> bytes:
    own = ray.get_runtime_context().get_node_id()
    nodes = ray.nodes()  # type: ignore[no-untyped-call]
    node = next((one for one in nodes if one["NodeID"] == own), None)
    if node is None:
        raise UnavailableError("the metrics of Ray cannot be read: this machine is not in it")
    url = f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics"
    with _DIRECT.open(url, timeout=_SCRAPE_S) as answer:
        text = answer.read().decode()
    return "".join(_own_lines(text)).encode()


def _own_lines(text: str) -> Iterator[str]:
    for line in text.splitlines(keepends=True):
        words = line.split(None, 3)
        name = words[2] if line.startswith("#") and len(words) > 2 else line
        if name.startswith(_OURS):
            yield line
